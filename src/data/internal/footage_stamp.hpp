// SPDX-License-Identifier: Apache-2.0
// What tells without reading it that footage has changed, for results that are kept beside it.
#pragma once

#include <filesystem>
#include <string>

namespace zt::data::internal {

/// Size and modification time of a file, or of every picture of a folder in order, a line each: of all that
/// lies there, and not of where it lies. Something else, too, for what is not there, or cannot be listed.
std::string stamp_of(const std::filesystem::path& path);

}  // namespace zt::data::internal
