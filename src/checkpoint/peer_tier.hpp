// SPDX-License-Identifier: Apache-2.0
// The peer tier: every snapshot that a rank keeps in memory (memory_tier.hpp) is also copied into the memory
// of a neighbour, its holder, where possible on another host. A rank whose own snapshots are gone with its
// host gets the copy back.
//
// Two ranks pass a snapshot through a group of their own (dist/communicator.hpp), of which the owner of the
// snapshots is rank 0 and their holder rank 1; one call of pass_on() and one of take_over() meet. In order:
// from the giver step, generation, length and checksum, a length of 0 meaning that it has none; from the
// taker whether it has room; the bytes; from the taker whether their checksum is right, without which the
// copy does not count.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <thread>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "checkpoint/memory_tier.hpp"
#include "dist/communicator.hpp"
#include "exchange/snapshot_file.hpp"

namespace zt::checkpoint {

/// What a rank holds in memory: its own snapshots, and those of the rank that it is the holder of. Either
/// file survives the rank with its launcher.
struct Memory {
  MemoryTier own, held;

  /// As MemoryTier::drop_after().
  void drop_after(int64_t step) {
    own.drop_after(step);
    held.drop_after(step);
  }
};

/// A rank's two groups; null without a neighbour.
struct PeerLinks {
  dist::Communicator* to_holder = nullptr;
  dist::Communicator* from_ward = nullptr;
};

/// Gives `snapshot` to the other rank of the link. Errors: NotFound without a snapshot, Exhausted if the
/// other rank has no room (it learns the first, and says the second), Corrupt if it got other bytes; those of
/// Communicator.
Status pass_on(dist::Communicator& link, const std::optional<exchange::SnapshotFile::Held>& snapshot,
               clock::Deadline deadline);
/// Takes one into `file`. Errors: NotFound if the other rank has none, Exhausted without room, Corrupt;
/// those of Communicator. What the file held before stays, but for the older snapshot of two, and for all of
/// it where the new one has another size.
Status take_over(dist::Communicator& link, exchange::SnapshotFile& file, clock::Deadline deadline);

/// Copies beside the steps that follow, each direction on a thread of its own: a rank may have to give before
/// its holder can take. Threads: one caller.
class PeerCopies {
 public:
  /// Memory and links must outlive it; nothing is done unless both links are there. `limit`: of one copy.
  PeerCopies(Memory& memory, PeerLinks links, std::chrono::milliseconds limit);
  PeerCopies(const PeerCopies&) = delete;
  PeerCopies& operator=(const PeerCopies&) = delete;
  /// Waits for copies under way: they end at `limit`, or as soon as a link is aborted.
  ~PeerCopies();

  bool is_on() const { return links_.to_holder && links_.from_ward; }
  /// Passes on the newest snapshot of memory.own, which must stay until await(), and takes over the ward's.
  /// All ranks call it after the same steps.
  void begin();
  /// Waits until this rank's copies are made. Of errors the first is returned. After Corrupt the next copies
  /// are tried; after any other nothing more is copied in that direction, on either side of its link.
  Status await();

 private:
  struct Direction {
    std::thread thread;
    Status made;
    bool is_closed = false;
  };
  static void start(Direction& direction, std::function<Status()> copy);
  static Status finish(Direction& direction);
  Memory& memory_;
  const PeerLinks links_;
  const std::chrono::milliseconds limit_;
  Direction out_, in_;
};

}  // namespace zt::checkpoint
