// SPDX-License-Identifier: Apache-2.0
// What a worker said last of why it ended.
#pragma once

#include <filesystem>
#include <string>

namespace zt::cli {

/// The last error that a worker's log holds; empty if none.
std::string last_error(const std::filesystem::path& log);

}  // namespace zt::cli
