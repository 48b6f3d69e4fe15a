// SPDX-License-Identifier: Apache-2.0
// What a run may be called: its folder's name begins with that, on any file system and in any shell.
#pragma once

#include <string_view>

namespace zt {

inline constexpr const char* kRunNameRule =
    "up to 80 letters, digits, '.', '_' and '-', of which '.' and '-' are not the first";
bool is_run_name(std::string_view name);

}  // namespace zt
