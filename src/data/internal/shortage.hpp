// SPDX-License-Identifier: Apache-2.0
// What to do where footage could not be looked at because this process has too little of something.
#pragma once

#include <string_view>

namespace zt::data::internal {

inline constexpr std::string_view kShortageAdvice =
    "this process has too little, which is no fault of the footage; look at fewer videos at a time (--set "
    "threads=1) or allow more (ulimit -n: open files, ulimit -v: memory); the same command goes on";

}  // namespace zt::data::internal
