// SPDX-License-Identifier: Apache-2.0
#include "config/internal/yaml.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <utility>

#include "base/text/text.hpp"

namespace zt::config {
namespace {

constexpr size_t kShownColumns = 100;

Position position(const YAML::Mark& mark) {
  return {static_cast<size_t>(std::max(mark.line, 0)), static_cast<size_t>(std::max(mark.column, 0))};
}

/// Whether the quoted scalar at `begin` ends; yaml-cpp 0.7 lets it run to the end of the text. Other scalars
/// do.
bool is_closed(std::string_view text, size_t begin) {
  const char quote = begin < text.size() ? text[begin] : '\0';
  if (quote != '\'' && quote != '"') return true;
  for (size_t i = begin + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      const bool is_doubled = quote == '\'' && i + 1 < text.size() && text[i + 1] == quote;
      if (!is_doubled) return true;
      ++i;
    }
  }
  return false;
}

/// Builds the tree from the parser's events; throws ParserException for what this subset refuses.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(std::string_view text) : text_(text) {}
  YamlNode take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    throw YAML::ParserException(mark, "anchors (&name) are not supported: write the value out");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw YAML::ParserException(mark, "aliases (*name) are not supported: write the value out");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    YamlNode node;
    node.at = position(mark);
    add(mark, std::move(node));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    if (tag != "?" && tag != "!") refuse_tag(mark);
    if (tag == "!" && !is_closed(text_, static_cast<size_t>(mark.pos)))
      throw YAML::ParserException(mark, "the quotes are not closed");
    YamlNode node;
    node.kind = YamlNode::Kind::Scalar;
    node.at = position(mark);
    node.text = value;
    node.is_quoted = tag == "!";
    add(mark, std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, YamlNode::Kind::List);
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, YamlNode::Kind::Map);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    YamlNode node;
    std::optional<std::pair<std::string, Position>> key;  ///< of a map's entry whose value comes next
  };

  [[noreturn]] static void refuse_tag(const YAML::Mark& mark) {
    throw YAML::ParserException(mark, "tags (!name) are not supported");
  }
  [[noreturn]] static void refuse_key(const YAML::Mark& mark) {
    throw YAML::ParserException(mark, "a key must be plain text");
  }
  static bool wants_key(const Level& level) { return level.node.kind == YamlNode::Kind::Map && !level.key; }

  void open(const YAML::Mark& mark, const std::string& tag, YamlNode::Kind kind) {
    if (tag != "?" && tag != "!" && !tag.empty()) refuse_tag(mark);
    if (!levels_.empty() && wants_key(levels_.back())) refuse_key(mark);
    if (!levels_.empty() && levels_.back().node.children.size() == kYamlLimitItems)
      throw YAML::ParserException(mark, fmt::format("more than {} entries", kYamlLimitItems));
    if (levels_.size() == kYamlLimitDepth)
      throw YAML::ParserException(mark,
                                  fmt::format("more than {} levels of maps and lists", kYamlLimitDepth));
    Level level;
    level.node.kind = kind;
    level.node.at = position(mark);
    levels_.push_back(std::move(level));
  }
  void close() {
    YamlNode node = std::move(levels_.back().node);
    levels_.pop_back();
    attach(std::move(node));
  }
  void add(const YAML::Mark& mark, YamlNode node) {
    if (!levels_.empty() && levels_.back().node.children.size() == kYamlLimitItems)
      throw YAML::ParserException(mark, fmt::format("more than {} entries", kYamlLimitItems));
    if (levels_.empty() || !wants_key(levels_.back())) return attach(std::move(node));
    if (node.kind != YamlNode::Kind::Scalar) refuse_key(mark);
    if (const YamlNode* first = levels_.back().node.find(node.text))
      throw YAML::ParserException(mark, fmt::format("the key {} stands here twice, first in line {}",
                                                    text::quoted(node.text), first->key_at.line + 1));
    levels_.back().key.emplace(std::move(node.text), node.at);
  }
  void attach(YamlNode node) {
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.key) std::tie(node.key, node.key_at) = *std::exchange(level.key, std::nullopt);
    level.node.children.push_back(std::move(node));
  }

  std::string_view text_;
  YamlNode root_;
  std::vector<Level> levels_;
};

}  // namespace

const YamlNode* YamlNode::find(std::string_view wanted) const {
  if (kind != Kind::Map) return nullptr;
  const auto found = std::ranges::find(children, wanted, &YamlNode::key);
  return found == children.end() ? nullptr : &*found;
}

YamlNode make_node(YamlNode::Kind kind, std::string_view key, std::string text, Position at) {
  YamlNode node;
  node.kind = kind;
  node.key = key;
  node.text = std::move(text);
  node.at = at;
  node.key_at = {at.line, 0};
  return node;
}

std::string Source::place(Position at) const {
  return text.empty() ? name : fmt::format("{}:{}:{}", name, at.line + 1, at.column + 1);
}

Error Source::error(Position at, const std::string& what) const {
  std::string message = fmt::format("{}: {}", place(at), what);
  std::string_view rest = text;
  for (size_t i = 0; i < at.line && !rest.empty(); ++i) {
    const size_t end = rest.find('\n');
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  const std::string_view line = rest.substr(0, std::min(rest.find_first_of("\r\n"), rest.size()));
  if (!line.empty() && at.column <= line.size() && at.column < kShownColumns) {
    // The caret stands under the byte's character: tabs stay tabs, continuation bytes take no column.
    std::string caret;
    for (const char c : line.substr(0, at.column)) {
      if (c == '\t')
        caret += '\t';
      else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80)
        caret += ' ';
    }
    const std::string number = std::to_string(at.line + 1);
    message += fmt::format("\n  {} | {}\n  {} | {}^", number, line.substr(0, kShownColumns),
                           std::string(number.size(), ' '), caret);
  }
  return {ErrorCode::InvalidConfig, std::move(message)};
}

Result<YamlNode> parse_yaml(const Source& source) {
  if (source.text.size() > kYamlLimitBytes)
    return fail(ErrorCode::InvalidConfig,
                fmt::format("{}: {} is too large for a configuration; the limit is {}", source.name,
                            text::bytes(source.text.size()), text::bytes(kYamlLimitBytes)));
  if (!text::is_utf8(source.text))
    return fail(ErrorCode::InvalidConfig, fmt::format("{}: not UTF-8 text", source.name));
  if (const size_t zero = source.text.find('\0'); zero != std::string::npos)
    return fail(ErrorCode::InvalidConfig,
                fmt::format("{}: byte {} is zero, which no text has: was the file damaged, or is it another "
                            "kind of file?",
                            source.name, zero + 1));
  try {
    std::string_view body = source.text;
    if (body.starts_with("\xEF\xBB\xBF"))
      body.remove_prefix(3);  // so that the parser's offsets are those of `body`
    std::istringstream stream{std::string(body)};
    YAML::Parser parser(stream);
    TreeBuilder builder(body);
    if (!parser.HandleNextDocument(builder)) return YamlNode{};
    YamlNode root = builder.take_root();
    TreeBuilder second(body);
    if (parser.HandleNextDocument(second))
      return fail(source.error(second.take_root().at, "a second document (---); a configuration is one"));
    return root;
  } catch (const YAML::Exception& e) {
    return fail(source.error(position(e.mark), e.msg));
  } catch (const std::exception& e) {
    return fail(ErrorCode::InvalidConfig, fmt::format("{}: not YAML: {}", source.name, e.what()));
  }
}

}  // namespace zt::config
