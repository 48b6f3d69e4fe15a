// SPDX-License-Identifier: Apache-2.0
#include "config/foreign/key_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "base/text/text.hpp"
#include "config/internal/foreign.hpp"

namespace zt::config::foreign {
namespace {

/// Sections whose keys may be written with a prefix.
constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kPrefixes = {
    {{"fsdp_config.", "fsdp_"}, {"parallelism_config.", "parallelism_config_"}}};

std::optional<double> read_number(const YamlNode& node) {
  const auto value = text::to_number<double>(node.text);
  return value && !node.is_quoted && std::isfinite(*value) ? value : std::nullopt;
}

/// 100000000 of "1e8" too, as DeepSpeed reads it.
std::optional<int64_t> read_whole(const YamlNode& node) {
  if (const auto whole = text::to_number<int64_t>(node.text); whole && !node.is_quoted) return whole;
  const auto number = read_number(node);
  constexpr double kLimit = 9007199254740992.0;  // 2^53: beyond, not every whole number is a double
  if (!number || *number != std::floor(*number) || std::abs(*number) > kLimit) return std::nullopt;
  return static_cast<int64_t>(*number);
}

/// The value in one spelling, or nothing when it is of another type.
std::optional<std::string> canonical(Type type, const YamlNode& node) {
  if (type == Type::Any) return node_text(node);
  if (node.kind != YamlNode::Kind::Scalar) return std::nullopt;
  switch (type) {
    case Type::Bool:
      if (node.is_quoted) return std::nullopt;
      if (is_false(node)) return "false";
      if (const std::string word = lower(node.text); word == "true" || word == "yes" || word == "on")
        return "true";
      return std::nullopt;
    case Type::Int:
      if (const auto whole = read_whole(node)) return std::to_string(*whole);
      return std::nullopt;
    case Type::Number:
      if (const auto number = read_number(node)) return fmt::format("{}", *number);
      return std::nullopt;
    default:
      return node.text;
  }
}

std::string_view type_name(Type type) {
  switch (type) {
    case Type::Bool:
      return "true or false";
    case Type::Int:
      return "a whole number";
    case Type::Number:
      return "a number";
    case Type::Numbers:
      return "a list of numbers";
    case Type::Text:
      return "a text";
    case Type::Any:
      return "anything";
  }
  return "";
}

std::string found(const YamlNode& node) {
  if (node.kind == YamlNode::Kind::Map) return "a section";
  if (node.kind == YamlNode::Kind::List) return "a list";
  return (node.is_quoted ? "the text " : "") + text::quoted(node.text);
}

bool is_nothing(const YamlNode& node) {
  const bool is_empty = node.kind != YamlNode::Kind::Scalar && node.children.empty();
  return node.kind == YamlNode::Kind::Null || is_empty;
}

class Reader {
 public:
  explicit Reader(KeyFile& file) : file_(file) {}

  /// A section as the table names it, and as the file does; both end in a dot, or are empty.
  struct Place {
    std::string prefix;
    std::string written;
    bool is_old = false;
  };

  Status walk(const YamlNode& map, const Place& place) {
    for (const YamlNode& child : map.children) {
      std::string key = place.prefix + bare(place.prefix, child.key);
      const std::string written = place.written + child.key;
      const KeyRow* renamed = file_.table->find(key);
      const bool is_old = renamed && renamed->does == Does::Renamed;
      if (is_old) key = renamed->text;
      const KeyRow* row = file_.table->find(key);
      const bool is_section = file_.table->has_section(key);
      if (is_section && (child.kind == YamlNode::Kind::Map || (!row && child.kind == YamlNode::Kind::Null))) {
        ZT_TRY(walk(child, {key + ".", written + ".", place.is_old || is_old}));
      } else if (row) {
        ZT_TRY(leaf(*row, child, {.prefix = key, .written = written, .is_old = place.is_old || is_old}));
      } else if (is_section) {
        return refuse(child.at,
                      fmt::format("{} is a section: wanted keys and values, found {}", key, found(child)));
      } else {
        return refuse(child.key_at, unknown(key));
      }
    }
    return {};
  }

 private:
  tl::unexpected<Error> refuse(Position at, const std::string& what) const {
    return fail(file_.source.error(at, what));
  }

  static std::string bare(std::string_view section, const std::string& key) {
    for (const auto& [name, prefix] : kPrefixes)
      if (section == name && key.starts_with(prefix)) return key.substr(prefix.size());
    return key;
  }

  std::string unknown(const std::string& key) const {
    std::vector<std::string> known;
    for (const KeyRow& row : file_.table->rows) known.emplace_back(row.key);
    const std::string near = text::nearest(key, known);
    return fmt::format("unknown {} key {}{}", file_.table->program, text::quoted(key),
                       near.empty() ? "" : fmt::format("; did you mean {}?", near));
  }

  Status leaf(const KeyRow& row, const YamlNode& node, const Place& place) {
    const bool is_unused = row.does == Does::Ignore || row.does == Does::Warn;
    const bool wants_value = !is_unused && row.does != Does::Off && row.does != Does::Refuse;
    if (node.kind == YamlNode::Kind::Null || (is_nothing(node) && !wants_value)) return {};
    Entry entry;
    entry.row = &row;
    entry.written = place.written;
    entry.is_old = place.is_old;
    entry.at = node.at;
    entry.key_at = node.key_at;
    if (const Entry* first = file_.find(row.key))
      return refuse(node.key_at, fmt::format("{} and {} in line {} are one key: give it once", entry.written,
                                             first->written, first->key_at.line + 1));
    entry.is_auto = node.kind == YamlNode::Kind::Scalar && node.text == "auto";
    if (is_unused) {  // of any type: DeepSpeed's releases differ in what they take
      entry.value = canonical(row.type, node).value_or(node_text(node));
    } else if (entry.is_auto && row.can_be_auto) {
      entry.value = "auto";
    } else {
      ZT_TRY(read_value(row, node, entry));
      ZT_TRY(check(row, node, entry));
    }
    file_.entries.push_back(std::move(entry));
    return {};
  }

  Status read_value(const KeyRow& row, const YamlNode& node, Entry& entry) const {
    const auto unwanted = [&](const YamlNode& at) {
      return refuse(at.at, fmt::format("{}: wanted {}{}, found {}", row.key, type_name(row.type),
                                       row.can_be_auto ? " or \"auto\"" : "", found(at)));
    };
    if (row.type == Type::Numbers) {
      if (node.kind != YamlNode::Kind::List) return unwanted(node);
      for (const YamlNode& item : node.children) {
        const auto value = canonical(Type::Number, item);
        if (!value) return unwanted(item);
        entry.items.push_back(*value);
      }
      entry.value = "[" + text::join(entry.items, ", ") + "]";
      return {};
    }
    const auto value = canonical(row.type, node);
    if (!value) return unwanted(node);
    entry.value = *value;
    return {};
  }

  /// Whether the row takes this value at all.
  Status check(const KeyRow& row, const YamlNode& node, const Entry& entry) const {
    if (row.does == Does::Only && lower(entry.value) != lower(std::string(row.text)))
      return refuse(node.at, fmt::format("{}: only {} is supported, found {}: {}", row.key, row.text,
                                         text::quoted(entry.value), row.reason));
    if (row.does == Does::Refuse)
      return refuse(node.at, fmt::format("{} is not supported: {}", row.key, row.reason));
    if (row.does == Does::Off) {
      const YamlNode* enabled = node.find("enabled");
      if (node.kind != YamlNode::Kind::Map || (enabled && !is_nothing(*enabled) && !is_false(*enabled)))
        return refuse((enabled ? *enabled : node).at,
                      fmt::format("{}: only enabled: false is supported: {}", row.key, row.reason));
    }
    return {};
  }

  KeyFile& file_;
};

}  // namespace

int64_t whole(const Entry& entry) { return text::to_number<int64_t>(entry.value).value_or(0); }

const Entry* KeyFile::find(std::string_view key) const {
  const auto found = std::ranges::find(entries, key, [](const Entry& entry) { return entry.row->key; });
  return found == entries.end() ? nullptr : &*found;
}

std::string KeyFile::origin(const Entry& entry) const {
  if (entry.written.starts_with("--")) return entry.written;  // a flag of a launcher
  return fmt::format("{}:{}:{}", source.name, entry.key_at.line + 1, entry.written);
}

Error KeyFile::error(const Entry& entry, const std::string& what) const {
  return source.error(entry.at, what);
}

Result<KeyFile> read_keys(Source source, const YamlNode& root, const KeyTable& table) {
  KeyFile file{.source = std::move(source), .table = &table, .entries = {}};
  if (root.kind != YamlNode::Kind::Map)
    return fail(file.source.error(root.at, fmt::format("wanted the keys and values of {}", table.program)));
  ZT_TRY(Reader(file).walk(root, {}));
  return file;
}

}  // namespace zt::config::foreign
