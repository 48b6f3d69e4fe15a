// SPDX-License-Identifier: Apache-2.0
// Names for files that are still being written, and the way to get rid of those that a killed process left.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/error.hpp"

namespace zt::files {

/// A name beside `path` that no other call gets, in this or another process: NAME.tmp.PID.N.
std::filesystem::path temporary_name(const std::filesystem::path& path);

/// Removes what dead processes of this machine left in `folder` under names of temporary_name(), files and
/// folders; with `name`, only what was to become that. No error if the folder is not there.
Status remove_leftovers(const std::filesystem::path& folder, std::string_view name = {});

}  // namespace zt::files
