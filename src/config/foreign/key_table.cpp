// SPDX-License-Identifier: Apache-2.0
#include "config/foreign/key_table.hpp"

#include <algorithm>

namespace zt::config::foreign {

const KeyRow* KeyTable::find(std::string_view key) const {
  const auto found = std::ranges::find(rows, key, &KeyRow::key);
  return found == rows.end() ? nullptr : &*found;
}

bool KeyTable::has_section(std::string_view key) const {
  return std::ranges::any_of(rows, [&](const KeyRow& row) {
    return row.key.size() > key.size() && row.key.starts_with(key) && row.key[key.size()] == '.';
  });
}

}  // namespace zt::config::foreign
