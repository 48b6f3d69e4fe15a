// SPDX-License-Identifier: Apache-2.0
#include "base/text/run_name.hpp"

#include <cstddef>

namespace zt {

bool is_run_name(std::string_view name) {
  constexpr size_t kMaxLength = 80;
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.size() <= kMaxLength && name.front() != '.' && name.front() != '-' &&
         name.find_first_not_of(kAllowed) == name.npos;
}

}  // namespace zt
