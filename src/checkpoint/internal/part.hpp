// SPDX-License-Identifier: Apache-2.0
// A rank's files in a checkpoint that is being written.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/error.hpp"
#include "checkpoint/internal/save.hpp"
#include "contract/manifest.hpp"

namespace zt::checkpoint::internal {

struct WrittenPart {
  contract::ManifestPart part;
  uint64_t bytes = 0;  ///< written; a link to an earlier checkpoint's file does not count
};

/// Writes the snapshot's tensors into `folder`, syncs them and reads them back. Frozen tensors that an
/// earlier checkpoint holds are linked. Errors: Exhausted, with the arithmetic, if the disk
/// can't hold them; Corrupt if what was written does not read back; Timeout if the save was called off
/// meanwhile.
Result<WrittenPart> write_part(const Save& save, int rank, const std::filesystem::path& folder);

}  // namespace zt::checkpoint::internal
