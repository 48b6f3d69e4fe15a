// SPDX-License-Identifier: Apache-2.0
// The border where exceptions end (libtorch and our tensor code throw, everything above returns Result) and
// errors become exit codes.
#pragma once

#include <functional>

#include "base/error.hpp"

namespace zt::worker {

/// body(), with what it throws as an Error: Exhausted when memory ran out, Internal for the rest.
Result<int> guarded(const std::function<Result<int>()>& body);

/// Prints the line by which the launcher knows why this process ends. Returns its exit code.
int say_error(const Error& error);

}  // namespace zt::worker
