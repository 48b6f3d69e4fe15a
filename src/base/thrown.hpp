// SPDX-License-Identifier: Apache-2.0
// What the standard library throws, as an Error.
#pragma once

#include <exception>

#include "base/error.hpp"

namespace zt {

/// Exhausted where memory ran out or no thread can be started; else Internal: nothing else is meant to throw.
Error error_of(const std::exception& thrown);

}  // namespace zt
