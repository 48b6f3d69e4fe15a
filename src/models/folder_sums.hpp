// SPDX-License-Identifier: Apache-2.0
// Sums of the files of an encoder's folder that a run has made, so that a bit that flips on the disk is an
// error and not another codec. Format: docs/formats/run-folder.md.
#pragma once

#include <filesystem>

#include "base/error.hpp"

namespace zt::models {

/// Writes sums.json: XXH3-128 of every file that lies in the folder. Errors: those of the file system.
Status write_sums(const std::filesystem::path& folder);
/// Compares every file that sums.json names; a folder without one passes: somebody else has made it. Errors:
/// Corrupt, naming the file that differs or is gone; those of reading.
Status check_sums(const std::filesystem::path& folder);

}  // namespace zt::models
