// SPDX-License-Identifier: Apache-2.0
#include "config/internal/foreign.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/text/text.hpp"

namespace zt::config {
namespace {

YamlNode with_paths_found(const Source& source, YamlNode node) {
  if (node.kind == YamlNode::Kind::Scalar) node.text = find_file(source, node.text);
  for (YamlNode& child : node.children) child = with_paths_found(source, std::move(child));
  return node;
}

class Reader {
 public:
  Reader(const Source& source, std::span<const ForeignKey> table, ForeignFile& file)
      : source_(source), table_(table), file_(file) {}

  Status map(const YamlNode& node, const std::string& prefix) {
    for (const YamlNode& child : node.children) {
      const std::string key = prefix + child.key;
      const auto row = std::ranges::find(table_, key, &ForeignKey::theirs);
      if (row != table_.end()) {
        ZT_TRY(leaf(*row, child));
      } else if (child.kind == YamlNode::Kind::Map && is_section(key)) {
        ZT_TRY(map(child, key + "."));
      } else {
        return fail(source_.error(child.key_at, unknown(key)));
      }
    }
    return {};
  }

 private:
  bool is_section(const std::string& key) const {
    return std::ranges::any_of(table_,
                               [&](const ForeignKey& row) { return row.theirs.starts_with(key + "."); });
  }

  std::string unknown(const std::string& key) const {
    std::vector<std::string> known;
    for (const ForeignKey& row : table_) known.emplace_back(row.theirs);
    const std::string near = text::nearest(key, known);
    return fmt::format("unknown key {} in this kind of file{}", text::quoted(key),
                       near.empty() ? "" : fmt::format("; did you mean {}?", near));
  }

  Status leaf(const ForeignKey& row, const YamlNode& node) {
    switch (row.does) {
      case ForeignKey::Does::Map:
      case ForeignKey::Does::MapPath: {
        const bool is_path = row.does == ForeignKey::Does::MapPath;
        file_.batch.settings.push_back({std::string(row.text),
                                        is_path ? with_paths_found(source_, node) : node,
                                        origin_of(source_, node.key_at)});
        std::string effect = fmt::format("{} = {}", row.text, node_text(file_.batch.settings.back().node));
        if (!row.reason.empty()) effect += fmt::format(": {}", row.reason);
        add(row, node, std::move(effect));
        return {};
      }
      case ForeignKey::Does::Only:
        if (lower(node_text(node)) != lower(std::string(row.text)))
          return fail(source_.error(
              node.at, fmt::format("{}: only {} is supported, found {}: {}", row.theirs,
                                   text::quoted(row.text), text::quoted(node_text(node)), row.reason)));
        add(row, node, "as here");
        return {};
      case ForeignKey::Does::Ignore:
        add(row, node, fmt::format("not used: {}", row.reason));
        return {};
      case ForeignKey::Does::Special:
        add(row, node, std::string(row.reason));
        return {};
    }
    return {};
  }

  void add(const ForeignKey& row, const YamlNode& node, std::string effect) {
    file_.effects.push_back(
        {std::string(row.theirs), node_text(node), origin_of(source_, node.key_at), std::move(effect)});
  }

  const Source& source_;
  std::span<const ForeignKey> table_;
  ForeignFile& file_;
};

}  // namespace

Result<ForeignFile> read_foreign(const Source& source, const YamlNode& root,
                                 std::span<const ForeignKey> table) {
  ForeignFile file;
  file.batch.source = source;
  if (root.kind != YamlNode::Kind::Map) return fail(source.error(root.at, "wanted keys and values"));
  ZT_TRY(Reader(source, table, file).map(root, ""));
  return file;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

const YamlNode* find_dotted(const YamlNode& root, std::string_view key) {
  const size_t dot = key.find('.');
  const YamlNode* child = root.find(key.substr(0, dot));
  return child && dot != std::string_view::npos ? find_dotted(*child, key.substr(dot + 1)) : child;
}

std::string node_text(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::Scalar) return node.text;
  if (node.kind == YamlNode::Kind::Map) return fmt::format("{} entries", node.children.size());
  std::vector<std::string> parts;
  for (const YamlNode& child : node.children) parts.push_back(node_text(child));
  return text::join(parts, ", ");
}

bool is_false(const YamlNode& node) {
  const std::string value = lower(node.text);
  return node.kind == YamlNode::Kind::Scalar && (value == "false" || value == "no" || value == "off");
}

Setting derived(const Source& source, const YamlNode& node, std::string key, std::string text) {
  YamlNode value;
  value.at = node.at;
  value.kind = YamlNode::Kind::Scalar;
  value.text = std::move(text);
  if (value.text.starts_with('[')) {
    YamlNode list;
    list.at = node.at;
    list.kind = YamlNode::Kind::List;
    for (const std::string& part : text::split(value.text.substr(1, value.text.size() - 2), ',')) {
      YamlNode item = value;
      item.text = std::string(text::trim(part));
      list.children.push_back(std::move(item));
    }
    value = std::move(list);
  }
  return {std::move(key), std::move(value), origin_of(source, node.key_at)};
}

std::string find_file(const Source& source, const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (path.empty() || fs::path(path).is_absolute() || fs::exists(path, ignored)) return path;
  fs::path folder = fs::absolute(source.name, ignored).parent_path();
  for (; !folder.empty(); folder = folder.parent_path()) {
    const fs::path candidate = (folder / path).lexically_normal();
    if (fs::exists(candidate, ignored)) return candidate.string();
    if (folder == folder.root_path()) break;
  }
  return path;
}

}  // namespace zt::config
