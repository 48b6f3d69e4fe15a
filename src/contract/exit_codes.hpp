// SPDX-License-Identifier: Apache-2.0
// Exit codes of all programs. 0 is success, 1 an unspecified failure, 2 usage or configuration; the others
// are the rows of base/error_policy.hpp, so that whoever started a process knows what to do next without
// reading text.
#pragma once

#include <optional>

#include "base/error_policy.hpp"

namespace zt::contract {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitStoppedNow = 130;  ///< second Ctrl-C (128 + SIGINT); nothing was saved for it
using zt::kExitResumable;

/// The exit code of a program that ends with this error.
int exit_code(const Error& error);
/// The error code a process meant by its exit code; none for 0, 1 and codes outside the table. 2 gives
/// InvalidConfig.
std::optional<ErrorCode> error_of_exit(int code);

}  // namespace zt::contract
