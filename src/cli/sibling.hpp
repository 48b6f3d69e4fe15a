// SPDX-License-Identifier: Apache-2.0
// The private programs that are built and installed with this one.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.hpp"

namespace zt::cli {

/// Beside this program, else in ../libexec/zoetrope. Errors: NotFound, saying how to build it.
Result<std::filesystem::path> find_sibling(const std::string& name);

}  // namespace zt::cli
