// SPDX-License-Identifier: Apache-2.0
// One field's value: YAML node -> struct member with every check, and back to YAML text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/internal/yaml.hpp"
#include "config/listing.hpp"

namespace zt::config {

struct Problem {
  Position at;
  std::string what;  ///< "wanted a whole number from 1 (samples), found "four""
};

/// Writes the node's value into the field's member, or says why it can't; then the member is unchanged.
std::optional<Problem> assign(const Field& field, const YamlNode& node);

/// The text of `--set key=text` (or of a default) as a node: a text field takes it literally, a list is "[a,
/// b]" or "a,b". Errors: InvalidConfig when a bracketed list is not YAML.
Result<YamlNode> node_of_text(const Field& field, std::string_view text);

/// The member's value as YAML that reads back to the same value.
std::string format_value(const Field& field);

/// "whole number", "text", "list of numbers", "linear | scaled_linear".
std::string type_text(const Field& field);
/// "at least 1", "0 to 1", "2 items, each above ..."; "" when there is no limit.
std::string range_text(const About& about);

}  // namespace zt::config
