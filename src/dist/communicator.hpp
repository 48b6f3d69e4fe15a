// SPDX-License-Identifier: Apache-2.0
// A group of ranks that exchange flat tensors. Operations start at once and are waited for later; every wait
// has a deadline. All ranks start the same operations in the same order, with the same sizes; they complete
// in that order too, so waiting for one waits for all before it.
//
// Sums go by the tree of the lanes (dist/tree_sum.hpp), whatever the backend and the timing: at every node
// two values of the buffer's type are added and rounded to that type, as at::add_ does. With ranks a power of
// two that divides the lanes, the sum over ranks is the upper part of the tree over lanes, bit for bit.
//
// After PeerLost, Timeout or abort() the group is of no use: every later wait returns the same error. Destroy
// it and form the next generation's (dist/group.hpp); the process lives on.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "dist/flight_recorder.hpp"
#include "dist/traffic.hpp"

namespace zt::dist {

class Backend;
class Communicator;
struct Operation;
struct Outcome;

/// A started operation. Copies refer to the same one; it must not outlive the communicator. Dropping it is
/// allowed: the operation completes with a later wait.
class Pending {
 public:
  /// Errors: PeerLost if a rank is gone, Timeout if one does not take part in time, Cancelled after abort(),
  /// Internal if the ranks' operations don't match. Each names rank, host, operation and label.
  Status wait(clock::Deadline deadline);

 private:
  friend class Communicator;
  Pending(Communicator& group, uint64_t sequence) : group_(&group), sequence_(sequence) {}
  Communicator* group_;
  uint64_t sequence_;
};

enum class Reduction { Sum, Max };

/// A rank of the group as messages name it.
struct Member {
  int world_rank = 0;
  std::string host;
};

struct GroupIdentity {
  std::string name;
  int64_t generation = 0;
  int rank = 0;  ///< index into members
  std::vector<Member> members;
};

/// What made the group fail, for whoever decides what to do next.
struct Failure {
  Error error;
  std::vector<int> world_ranks;  ///< lost, or missing at the deadline; empty if not known
  uint64_t sequence = 0;
  std::string operation;  ///< "reduce_scatter"
  std::string label;
};

/// Is told of every wait for an operation that is not yet known to be complete, by the thread that waits.
class WaitObserver {
 public:
  virtual ~WaitObserver() = default;
  virtual void wait_begins(const FlightEntry& operation) = 0;
  virtual void wait_ends() = 0;
};

/// Buffers are contiguous tensors on device_type() that stay alive, and unchanged by others, until the
/// operation is waited for; the communicator keeps a reference. Any type can be gathered and broadcast; sums
/// take floating-point and int64 tensors. A wrong shape or type throws ContractError.
/// Threads: one caller at a time, except for abort() and traffic().
class Communicator {
 public:
  Communicator(GroupIdentity identity, std::unique_ptr<Backend> backend);
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  /// output = every rank's input, one after the other. Input may be its own place in the output.
  /// Shapes: input (P), output (N * P).
  Pending all_gather_into(const at::Tensor& output, const at::Tensor& input, std::string_view label);
  /// output = the sum over ranks of this rank's part of the input. Output may be that part of the input.
  /// Shapes: input (N * P), output (P).
  Pending reduce_scatter_into(const at::Tensor& output, const at::Tensor& input, std::string_view label);
  /// In place. Cost: a sum is a reduce-scatter and an all-gather, except up to kSmallBytes, which, as a
  /// maximum of any size, are gathered whole by every rank.
  Pending all_reduce(const at::Tensor& buffer, Reduction reduction, std::string_view label);
  /// In place, from the rank of the group `root`.
  Pending broadcast(const at::Tensor& buffer, int root, std::string_view label);
  Pending barrier(std::string_view label);

  int rank() const { return identity_.rank; }
  int size() const { return static_cast<int>(identity_.members.size()); }
  const GroupIdentity& identity() const { return identity_; }
  /// "shared-memory", "gloo", "nccl", "alone".
  std::string_view backend() const;
  /// Where its buffers lie.
  at::DeviceType device_type() const;

  /// Gives the group up: waits here end with Cancelled, waits of the other ranks with PeerLost naming this
  /// one (with Gloo: in all groups of the generation). From any thread, also during a wait. A rank that ends
  /// because of an error of its own calls it, so that the others need not wait for their deadlines.
  void abort();
  /// Set once the group has failed.
  const std::optional<Failure>& failure() const { return failure_; }
  /// What this rank sent and received so far.
  Traffic traffic() const { return traffic_.read(); }
  /// The last operations; outlives the communicator, for whoever asks why it failed.
  std::shared_ptr<const FlightRecorder> flight() const { return flight_; }
  /// From then on; null for nobody. The observer must outlive the communicator.
  void observe(WaitObserver* observer) { observer_ = observer; }

  static constexpr int64_t kSmallBytes = 8192;
  /// Gloo's reduce-scatters that have begun hold what they receive, (N - 1) parts each, and begin as long as
  /// this is not more; a larger one by itself. NCCL holds what one receives, shared memory nothing.
  static constexpr int64_t kGlooWindowBytes = int64_t{64} << 20;

 private:
  friend class Pending;
  Pending start(Collective counted_as, std::string_view label, const at::Tensor& larger,
                std::vector<Operation> parts);
  void count(Collective counted_as, const Operation& part);
  Operation gather_and_reduce(const at::Tensor& buffer, Reduction reduction) const;
  Status wait(uint64_t sequence, clock::Deadline deadline);
  Outcome finish(uint64_t sequence, clock::Deadline deadline);
  Status fail_group(const Outcome& outcome, double waited_s);
  std::string describe(const std::vector<int>& ranks) const;

  const GroupIdentity identity_;
  std::unique_ptr<Backend> backend_;
  uint64_t started_ = 0;    ///< sequence of the newest part of an operation; the first is 1
  uint64_t completed_ = 0;  ///< all up to this one are complete
  std::optional<Failure> failure_;
  TrafficCounter traffic_;
  const std::shared_ptr<FlightRecorder> flight_ = std::make_shared<FlightRecorder>();
  WaitObserver* observer_ = nullptr;
};

}  // namespace zt::dist
