// SPDX-License-Identifier: Apache-2.0
#include "config/listing.hpp"

#include <algorithm>

namespace zt::config {

const Field* Listing::find(std::string_view key) const {
  const auto found = std::ranges::find(fields_, key, &Field::key);
  return found == fields_.end() ? nullptr : &*found;
}

bool Listing::has_section(std::string_view key) const {
  return std::ranges::find(sections_, key, &Section::key) != sections_.end();
}

}  // namespace zt::config
