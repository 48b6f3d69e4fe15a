// SPDX-License-Identifier: Apache-2.0
// Symbolic links as names of results.
#pragma once

#include <filesystem>

namespace zt::files {

/// As many as Linux follows.
inline constexpr int kMostLinks = 40;

/// What a link at `path` leads to in the end, whether that is there or not; `path` as it stands if it is no
/// link, or one that leads in a circle. For results that a user names: an atomic write replaces a link.
std::filesystem::path through_links(const std::filesystem::path& path);

}  // namespace zt::files
