// SPDX-License-Identifier: Apache-2.0
// Writing a file that is synced at its end.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "base/error.hpp"

namespace zt::files::internal {

/// Writes all of `bytes` at the descriptor's position. Every few MiB the disk begins with what is there, so
/// that little is left for fsync to wait for. Errors: files::errno_error()'s, naming `path`.
Status write_out(int fd, std::span<const std::byte> bytes, const std::filesystem::path& path);

}  // namespace zt::files::internal
