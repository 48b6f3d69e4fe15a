// SPDX-License-Identifier: Apache-2.0
// Writes a checkpoint again as the files of another number of ranks. Loading needs no such conversion, every
// reader takes checkpoints of any number of ranks: this is for people who move files.
#pragma once

#include <cstdint>
#include <filesystem>

#include "archive/stored_checkpoint.hpp"
#include "base/error.hpp"

namespace zt::archive {

/// Makes the folder `to`, a checkpoint of the same tensors and numbers in `ranks` files of equal size and the
/// frozen tensors' file, which is linked where the file system can. It is compared with `from` before it gets
/// its name; a kill leaves a temporary folder, which the next call for `to` removes. Needs memory for one
/// rank's file at most. Requires ranks >= 1. Errors: AlreadyExists;
/// InvalidArgument for the name of another step's checkpoint; Exhausted, with the arithmetic, if the
/// disk can't hold it; Corrupt if what was written does not read back.
Status reshard(const StoredCheckpoint& from, int64_t ranks, const std::filesystem::path& to);

}  // namespace zt::archive
