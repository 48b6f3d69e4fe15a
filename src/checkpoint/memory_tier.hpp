// SPDX-License-Identifier: Apache-2.0
// Checkpoints in memory: what a rank's shard holds, copied every few steps into a file without a name that
// its launcher keeps (exchange/snapshot_file.hpp). A rank that is started again goes on from there instead of
// from the newest checkpoint on disk. What the run leaves frozen is not in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "checkpoint/saver.hpp"
#include "exchange/snapshot_file.hpp"
#include "params/state.hpp"

namespace zt::checkpoint {

/// Threads: one caller.
class MemoryTier {
 public:
  /// `fd`: inherited from the launcher; -1 = there is none: nothing is held and nothing kept. Errors: those
  /// of exchange::SnapshotFile::open.
  static Result<MemoryTier> open(int fd);
  bool is_open() const { return file_.has_value(); }
  /// Whether the memory for snapshots is taken already.
  bool has_room() const { return file_ && file_->has_room(); }
  /// Requires: is_open().
  exchange::SnapshotFile& file() { return *file_; }

  /// Steps of the whole snapshots, ascending: at most kHeld.
  static constexpr size_t kHeld = 2;
  std::vector<int64_t> steps() const;
  /// The same with their bytes, as exchange::SnapshotFile::held().
  std::vector<exchange::SnapshotFile::Held> held() const;
  /// Copies tensors and scalars of the snapshot. The step loop may change the tensors afterwards. Errors:
  /// Exhausted if there is no memory for two of them; the tier is then empty.
  /// Cost: a copy and a checksum of the bytes.
  Status keep(const Snapshot& snapshot, int64_t generation);
  /// Overwrites `tensors`, which must be those that were kept, by name, type and piece; returns the scalars.
  /// Errors: NotFound without that step; Corrupt if it holds other tensors.
  Result<std::vector<params::StateScalar>> restore(int64_t step,
                                                   const std::vector<params::StateTensor>& tensors) const;
  /// Forgets what is beyond `step`: all ranks went back to it.
  void drop_after(int64_t step);

  /// Bytes of one snapshot.
  static size_t snapshot_bytes(const Snapshot& snapshot);

 private:
  std::optional<exchange::SnapshotFile> file_;
};

}  // namespace zt::checkpoint
