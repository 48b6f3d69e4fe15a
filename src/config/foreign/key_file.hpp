// SPDX-License-Identifier: Apache-2.0
// A foreign file read by its table: every key known, every value of its type. JSON is read as the YAML that
// it is, so that every key has a line and a column; comments and trailing commas are therefore allowed, as
// DeepSpeed's own reader does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/foreign/key_table.hpp"
#include "config/internal/yaml.hpp"

namespace zt::config::foreign {

struct Entry {
  const KeyRow* row = nullptr;
  std::string written;  ///< the key as it stands in the file, dotted; or the flag, "--zero_stage"
  std::string value;    ///< whole numbers as digits ("1e8" is 100000000), booleans as true and false
  std::vector<std::string> items;  ///< of Type::Numbers
  bool is_auto = false;
  bool is_old = false;  ///< an old spelling
  Position at;
  Position key_at;
};

/// The value of an entry whose type is Type::Int.
int64_t whole(const Entry& entry);

struct KeyFile {
  Source source;
  const KeyTable* table = nullptr;
  std::vector<Entry> entries;  ///< in the order of the file; null values are left out

  /// Null when the file does not say it.
  const Entry* find(std::string_view key) const;
  /// "ds.json:7:zero_optimization.stage", or the flag.
  std::string origin(const Entry& entry) const;
  /// InvalidConfig at the entry's value.
  Error error(const Entry& entry, const std::string& what) const;
};

/// Errors: InvalidConfig with file:line:column and a caret for a key that is not in the table, given twice,
/// refused by its row, or of another type ("auto" where it means nothing). What is not used may be of any
/// type.
Result<KeyFile> read_keys(Source source, const YamlNode& root, const KeyTable& table);

}  // namespace zt::config::foreign
