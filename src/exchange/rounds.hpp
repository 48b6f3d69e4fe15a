// SPDX-License-Identifier: Apache-2.0
// Rounds of bytes among the members of a segment, without libtorch. In round t every member publishes one
// slot and may read the slots of the others; it may run ahead by as many rounds as there are slots.
//
//   member: begin_publish -> write slot -> publish           (round t of mine)
//           wait_published -> read the others' slots -> finish    (round t of all)
//
// Counters of published and finished rounds are futex words in the segment. A waiter looks again a few times
// (spinning only if every member can have a processor), then sleeps in the kernel for at most kSliceMs and
// checks whether its peers live. Liveness is a pidfd per peer: it becomes readable the moment the process
// ends, also while it is a zombie that its parent has not reaped (kill(pid, 0) says that one is alive), it
// can't mean a later process of the same number, and no peer has to do anything for it, as with robust
// futexes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "exchange/segment.hpp"

namespace zt::exchange {

struct Layout {
  size_t members = 1;
  size_t slots = 4;                        ///< rounds a member may be ahead
  size_t slot_bytes = size_t{256} * 1024;  ///< a multiple of 64
  size_t segment_bytes() const;
};

enum class WaitEnd {
  Ready,
  Timeout,    ///< `member` has not come
  Lost,       ///< the process of `member` has ended, or has left the rounds
  Cancelled,  ///< abort() was called here
};
struct WaitResult {
  WaitEnd end = WaitEnd::Ready;
  size_t member = 0;
};

/// One member's view. Threads: one caller at a time, except for abort().
class Rounds {
 public:
  /// Requires: a segment of layout.segment_bytes(), and that every member makes its own, once.
  Rounds(std::shared_ptr<Segment> segment, const Layout& layout, size_t me);
  Rounds(const Rounds&) = delete;
  Rounds& operator=(const Rounds&) = delete;
  /// Leaves: peers that wait for more of this member's rounds see Lost.
  ~Rounds();

  /// Starts to watch the peers' processes. Requires: all have made their Rounds. Errors: Exhausted (no
  /// descriptor). Without it, peers that end without leaving are noticed at the deadline only.
  Status watch_peers();

  /// Whether the slot of my next round is free: all peers have finished the round that used it before.
  bool can_publish() const;
  std::byte* slot_to_fill() const { return slot(me_, published_); }
  void publish();

  /// Whether all peers have published the round after my last finished one.
  bool can_read() const;
  const std::byte* slot_of(size_t member) const { return slot(member, finished_); }
  void finish();

  /// Rounds so far.
  uint64_t published() const { return published_; }
  uint64_t finished() const { return finished_; }

  /// Block until can_publish() or can_read(). What a peer published before it ended counts.
  WaitResult wait_to_publish(clock::Deadline deadline);
  WaitResult wait_to_read(clock::Deadline deadline);
  /// Leaves at once, from any thread.
  void abort();

 private:
  using Word = std::atomic<uint32_t>;
  /// In the segment, one per member, on cache lines of its own.
  struct alignas(64) Control {
    Word published;  ///< counts rounds, wrapping
    Word finished;
    Word sleepers;  ///< members that may sleep on one of these words; saves system calls
    Word has_left;
    std::atomic<int32_t> pid;
  };
  static_assert(Word::is_always_lock_free);

  Control& control(size_t member) const;
  std::byte* slot(size_t member, uint64_t round) const;
  void advance(Word& word, uint64_t value);
  /// The first peer that keeps this member from reading or publishing; none if nobody does.
  std::optional<size_t> unpublished() const;
  std::optional<size_t> unfinished() const;
  WaitResult wait(bool to_read, clock::Deadline deadline);
  /// Returns when the word no longer holds `seen`, or after at most a slice.
  void sleep_on(Control& owner, Word& word, uint32_t seen, clock::Deadline deadline);
  std::optional<size_t> lost_peer(size_t missing) const;

  const std::shared_ptr<Segment> segment_;
  const Layout layout_;
  const size_t me_;
  const int spins_;
  uint64_t published_ = 0;
  uint64_t finished_ = 0;
  std::vector<int> pidfds_;  ///< by member; -1 for me and for those who share this process
  std::atomic<bool> is_aborted_ = false;
};

}  // namespace zt::exchange
