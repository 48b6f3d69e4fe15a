// SPDX-License-Identifier: Apache-2.0
#include "config/internal/value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "base/text/text.hpp"

namespace zt::config {
namespace {

template <class T>
struct ItemOf {
  using type = T;
  static constexpr bool is_list = false;
};
template <class T>
struct ItemOf<std::vector<T>> {
  using type = T;
  static constexpr bool is_list = true;
};

bool is_one_of(std::string_view word, std::span<const std::string_view> words) {
  return std::ranges::find(words, word) != words.end();
}

// What YAML 1.1 calls booleans, less the single letters.
constexpr std::string_view kTrue[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"};
constexpr std::string_view kFalse[] = {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"};

/// The value of a scalar, or nothing when its text is not of that type.
std::optional<bool> read_scalar(const YamlNode& node, const bool*) {
  if (node.is_quoted) return std::nullopt;
  if (is_one_of(node.text, kTrue)) return true;
  if (is_one_of(node.text, kFalse)) return false;
  return std::nullopt;
}

template <class Number>
std::optional<Number> read_number(const YamlNode& node) {
  std::string_view text = node.text;
  if (node.is_quoted || text.empty()) return std::nullopt;
  if (text.front() == '+') text.remove_prefix(1);
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  // Leaves out "inf", "nan" and, for whole numbers, a leading 0, which YAML 1.1 reads as octal.
  if (digits.empty() || !(digits.front() == '.' || (digits.front() >= '0' && digits.front() <= '9')))
    return std::nullopt;
  if (std::is_integral_v<Number> && digits.size() > 1 && digits.front() == '0') return std::nullopt;
  return text::to_number<Number>(text);
}
std::optional<int64_t> read_scalar(const YamlNode& node, const int64_t*) {
  return read_number<int64_t>(node);
}
std::optional<double> read_scalar(const YamlNode& node, const double*) { return read_number<double>(node); }
std::optional<std::string> read_scalar(const YamlNode& node, const std::string*) { return node.text; }

bool is_in_range(const About& about, double value) { return value >= about.min && value <= about.max; }
bool is_in_range(const About& about, int64_t value) { return is_in_range(about, static_cast<double>(value)); }
bool is_in_range(const About&, bool) { return true; }
bool is_in_range(const About&, const std::string&) { return true; }

std::string found_text(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::Null:
      return "nothing";
    case YamlNode::Kind::Scalar:
      return node.is_quoted ? fmt::format("the text {}", text::quoted(node.text)) : text::quoted(node.text);
    case YamlNode::Kind::List:
      return "a list";
    case YamlNode::Kind::Map:
      return "a section";
  }
  return "";
}

template <class T>
std::string_view scalar_name() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_same_v<T, int64_t>) return "whole number";
  if constexpr (std::is_same_v<T, double>) return "number";
  return "text";
}

Problem unwanted(const Field& field, const YamlNode& node) {
  std::string wanted = type_text(field);
  const std::string range = range_text(field.about);
  if (!range.empty()) wanted += ", " + range;
  if (!field.about.unit.empty()) wanted += fmt::format(" ({})", field.about.unit);
  std::string what = fmt::format("{}: wanted {}, found {}", field.key, wanted, found_text(node));
  if (node.kind == YamlNode::Kind::Null)
    what += std::holds_alternative<std::string*>(field.member) ? " ('' is the empty text)" : "";
  return {node.at, what};
}

template <class T>
std::optional<Problem> assign_scalar(const Field& field, const YamlNode& node, T& member) {
  if (node.kind != YamlNode::Kind::Scalar) return unwanted(field, node);
  auto value = read_scalar(node, &member);
  if (!value || !is_in_range(field.about, *value)) return unwanted(field, node);
  if constexpr (std::is_same_v<T, std::string>) {
    const std::string problem = field.about.problem ? field.about.problem(*value) : "";
    if (!problem.empty()) return Problem{node.at, fmt::format("{}: {}", field.key, problem)};
  }
  member = std::move(*value);
  return std::nullopt;
}

template <class T>
std::optional<Problem> assign_list(const Field& field, const YamlNode& node, std::vector<T>& member) {
  if (node.kind != YamlNode::Kind::List) return unwanted(field, node);
  if (field.about.count != 0 && node.children.size() != field.about.count)
    return Problem{node.at, fmt::format("{}: wanted {} items, found {}", field.key, field.about.count,
                                        node.children.size())};
  std::vector<T> items(node.children.size());
  for (size_t i = 0; i < items.size(); ++i)
    if (auto problem = assign_scalar(field, node.children[i], items[i])) return problem;
  member = std::move(items);
  return std::nullopt;
}

std::optional<Problem> assign_choice(const Field& field, const YamlNode& node, const Choice& choice) {
  const auto found = std::ranges::find(choice.names, node.text);
  if (node.kind == YamlNode::Kind::Scalar && found != choice.names.end()) {
    choice.set(choice.member, static_cast<size_t>(found - choice.names.begin()));
    return std::nullopt;
  }
  Problem problem = unwanted(field, node);
  const std::string near =
      text::nearest(node.text, std::vector<std::string>(choice.names.begin(), choice.names.end()));
  if (!near.empty()) problem.what += fmt::format("; did you mean {}?", near);
  return problem;
}

/// Plain where no reader could take it for something else.
std::string format_text(const std::string& text) {
  constexpr std::string_view kNulls[] = {"null", "Null", "NULL"};
  constexpr std::string_view kSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
  const bool is_plain = !text.empty() && text.find_first_not_of(kSafe) == std::string::npos &&
                        text.front() != '-' && !(text.front() >= '0' && text.front() <= '9') &&
                        !is_one_of(text, kNulls) && !is_one_of(text, kTrue) && !is_one_of(text, kFalse);
  if (is_plain) return text;
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += fmt::format("\\{}", c);
    else if (byte < 0x20 || byte == 0x7F)
      out += fmt::format("\\x{:02X}", byte);
    else
      out += c;
  }
  return out + "\"";
}

std::string format_scalar(bool value) { return value ? "true" : "false"; }
std::string format_scalar(int64_t value) { return std::to_string(value); }
std::string format_scalar(double value) { return fmt::format("{}", value); }
std::string format_scalar(const std::string& value) { return format_text(value); }

}  // namespace

std::optional<Problem> assign(const Field& field, const YamlNode& node) {
  return std::visit(
      [&](const auto& member) -> std::optional<Problem> {
        using M = std::decay_t<decltype(member)>;
        if constexpr (std::is_same_v<M, Choice>)
          return assign_choice(field, node, member);
        else if constexpr (ItemOf<std::remove_pointer_t<M>>::is_list)
          return assign_list(field, node, *member);
        else
          return assign_scalar(field, node, *member);
      },
      field.member);
}

Result<YamlNode> node_of_text(const Field& field, std::string_view text) {
  YamlNode node;
  node.kind = YamlNode::Kind::Scalar;
  node.text = std::string(text);
  const bool is_list = std::visit(
      [](const auto& member) {
        return ItemOf<std::remove_pointer_t<std::decay_t<decltype(member)>>>::is_list;
      },
      field.member);
  if (!is_list) return node;
  if (text::trim(text).starts_with('[')) return parse_yaml({std::string(field.key), std::string(text)});
  YamlNode list;
  list.kind = YamlNode::Kind::List;
  if (text::trim(text).empty()) return list;
  for (const std::string& part : text::split(text, ',')) {
    node.text = std::string(text::trim(part));
    list.children.push_back(node);
  }
  return list;
}

std::string format_value(const Field& field) {
  return std::visit(
      [&](const auto& member) -> std::string {
        using M = std::decay_t<decltype(member)>;
        if constexpr (std::is_same_v<M, Choice>) {
          return std::string(member.names[member.get(member.member)]);
        } else if constexpr (ItemOf<std::remove_pointer_t<M>>::is_list) {
          std::string out;
          for (const auto& item : *member) out += (out.empty() ? "" : ", ") + format_scalar(item);
          return "[" + out + "]";
        } else {
          return format_scalar(*member);
        }
      },
      field.member);
}

std::string type_text(const Field& field) {
  return std::visit(
      [](const auto& member) -> std::string {
        using M = std::decay_t<decltype(member)>;
        if constexpr (std::is_same_v<M, Choice>) {
          return fmt::format("{}", fmt::join(member.names, " | "));
        } else {
          using Value = ItemOf<std::remove_pointer_t<M>>;
          const auto name = scalar_name<typename Value::type>();
          if constexpr (Value::is_list)
            return fmt::format("list of {}", name == "text" ? "texts" : fmt::format("{}s", name));
          return std::string(name);
        }
      },
      field.member);
}

std::string range_text(const About& about) {
  const bool has_min = std::isfinite(about.min), has_max = std::isfinite(about.max);
  std::string range = has_min && has_max ? fmt::format("{} to {}", about.min, about.max)
                      : has_min          ? fmt::format("at least {}", about.min)
                      : has_max          ? fmt::format("at most {}", about.max)
                                         : "";
  if (about.count == 0) return range;
  return fmt::format("{} items{}{}", about.count, range.empty() ? "" : ", each ", range);
}

}  // namespace zt::config
