// SPDX-License-Identifier: Apache-2.0
// The newest state of a process, kept where its death can't reach it: a file in memory without a name, made
// by whoever starts the process, inherited by it, and inherited again by its successor. The kernel frees it
// with the last process that has it open, so nothing is ever left behind.
//
// Two slots take turns, so that a death in the middle of a copy leaves the snapshot before it. Layout:
// docs/formats/memory-snapshot.md.
//
//   launcher: make() -> descriptor -> SpawnOptions::inherited
//   worker:   open(fd); reserve(bytes); slot = begin(); fill it; commit(...)
//   successor: open(fd); held()
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/files/descriptor.hpp"

namespace zt::exchange {

class SnapshotFile {
 public:
  /// A whole snapshot. The bytes are valid until the next reserve() or begin().
  struct Held {
    int64_t step = 0;
    int64_t generation = 0;  ///< that wrote it
    uint64_t check = 0;      ///< XXH3-64 of the bytes, seeded with the step
    std::span<const std::byte> bytes;
  };

  /// An empty one; the descriptor is closed on exec. Errors: Exhausted.
  static Result<files::Descriptor> make();
  /// Maps what `fd`, which stays the caller's, holds. Children of this process don't inherit it any more.
  /// Errors: InvalidArgument if it is no file in memory; Exhausted.
  static Result<SnapshotFile> open(int fd);
  SnapshotFile(SnapshotFile&& other) noexcept
      : fd_(other.fd_), map_(std::exchange(other.map_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  SnapshotFile& operator=(SnapshotFile&&) = delete;
  ~SnapshotFile();

  /// The whole snapshots, oldest first: at most two. Reads them all for their checksums, and forgets those
  /// that are damaged.
  std::vector<Held> held() const;
  /// The newest whole snapshot, its bytes not read again: for who wrote it, or has just called held().
  std::optional<Held> newest() const;
  /// Makes room for snapshots of `bytes`, pages included; what the file held stays if it has that room
  /// already, or more. Errors: Exhausted; the file is then empty.
  Status reserve(size_t bytes);
  bool has_room() const { return map_ != nullptr; }
  /// Room for the next snapshot, in place of the older one, which is gone from here on. Requires: has_room().
  std::span<std::byte> begin();
  /// What begin() gave is whole in its first `bytes`, whose xxh64 seeded with the step is `check`.
  void commit(int64_t step, int64_t generation, size_t bytes, uint64_t check);
  /// The same for the copy of a snapshot of another file. Errors: Corrupt if the bytes' sum is not `check`;
  /// the slot stays empty.
  Status commit_copy(int64_t step, int64_t generation, size_t bytes, uint64_t check);
  /// Forgets snapshots of steps beyond `step`: a run that went back does them again.
  void drop_after(int64_t step);

 private:
  struct Record;
  explicit SnapshotFile(int fd) : fd_(fd) {}
  Status map(size_t size);
  void unmap();
  Record& record(size_t slot) const;
  std::span<std::byte> room(size_t slot) const;
  size_t slot_bytes() const;
  Held look_at(size_t slot) const;
  bool is_whole(size_t slot) const;
  int fd_;
  std::byte* map_ = nullptr;  ///< null: empty
  size_t size_ = 0;
  size_t filling_ = 0;  ///< slot of begin()
};

}  // namespace zt::exchange
