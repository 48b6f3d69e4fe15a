// SPDX-License-Identifier: Apache-2.0
// YAML text as a tree with positions, in the subset that configuration needs: one document of maps, lists and
// scalars. Anchors, aliases, merges, tags, duplicate keys and keys that are not text are refused, and so is
// what is too deep or too large: the text may come from anybody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::config {

inline constexpr uint64_t kYamlLimitBytes = 1 << 20;
inline constexpr size_t kYamlLimitDepth = 16;
inline constexpr size_t kYamlLimitItems = 4096;  ///< of one map or list

/// Both count from 0; `column` in bytes.
struct Position {
  size_t line = 0;
  size_t column = 0;
};

struct YamlNode {
  enum class Kind { Null, Scalar, List, Map };
  Kind kind = Kind::Null;
  Position at;
  std::string key;  ///< its key in the map it stands in
  Position key_at;
  std::string text;        ///< of a scalar
  bool is_quoted = false;  ///< scalar in quotes, or a block scalar
  std::vector<YamlNode> children;

  /// The entry of a map, or null.
  const YamlNode* find(std::string_view wanted) const;
};

/// A node that no parser made: its key begins the line of `at`, where its value is.
YamlNode make_node(YamlNode::Kind kind, std::string_view key, std::string text, Position at);

/// Where YAML text came from; makes the messages about it.
struct Source {
  std::string name;  ///< of the file, as the user wrote it
  std::string text;  ///< empty when there is no file: then no line is shown

  /// "name:3:7", or "name" without text.
  std::string place(Position at) const;
  /// InvalidConfig: place, what is wrong, the line and a caret.
  Error error(Position at, const std::string& what) const;
};

/// Errors: InvalidConfig. An empty text is a Null node.
Result<YamlNode> parse_yaml(const Source& source);

}  // namespace zt::config
