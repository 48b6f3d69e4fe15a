// SPDX-License-Identifier: Apache-2.0
// What a worker said last of why it ended, or what is said for it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace zt::cli {

/// The last error that a worker's log holds; empty if none.
std::string last_error(const std::filesystem::path& log);

/// The last line of a worker's log, shortened: of a process that other code than ours ended.
std::string last_line(const std::filesystem::path& log);

/// Ends the log of a worker that can't say it itself with why it was killed.
void append_error(const std::filesystem::path& log, std::string_view words);

}  // namespace zt::cli
