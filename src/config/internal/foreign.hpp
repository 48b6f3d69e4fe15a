// SPDX-License-Identifier: Apache-2.0
// YAML files of other programs, read by a table that says for every key what becomes of it. A key that is not
// in the table is an error: it might change the maths.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/effect.hpp"
#include "config/internal/settings.hpp"
#include "config/internal/yaml.hpp"

namespace zt::config {

struct ForeignKey {
  enum class Does {
    Map,      ///< its value goes to the key `text` of ours
    MapPath,  ///< so does its path or list of paths, found as by find_file()
    Only,     ///< only the value `text` is accepted, for `reason`
    Ignore,   ///< accepted with any value, for `reason`
    Special,  ///< read by the caller; `reason` is the effect
  };
  std::string_view theirs;  ///< dotted
  Does does;
  std::string_view text = "";
  std::string_view reason = "";
};

struct ForeignFile {
  Batch batch;
  std::vector<Effect> effects;  ///< one per key
};

/// Errors: InvalidConfig for a key that is not in the table and for a value that `Only` refuses.
Result<ForeignFile> read_foreign(const Source& source, const YamlNode& root,
                                 std::span<const ForeignKey> table);

/// The node under a dotted key, or null.
const YamlNode* find_dotted(const YamlNode& root, std::string_view key);

/// "a, b" of a list, the text of a scalar.
std::string node_text(const YamlNode& node);
bool is_false(const YamlNode& node);
/// The text with small ASCII letters.
std::string lower(std::string text);

/// A setting that follows from `node` without being its value; `text` is a scalar, or a list "[a, b]".
Setting derived(const Source& source, const YamlNode& node, std::string key, std::string text);

/// A path of a file of a checkout: relative to the working folder, or else to the nearest folder above the
/// file in which it exists. When it is nowhere, as written.
std::string find_file(const Source& source, const std::string& path);

}  // namespace zt::config
