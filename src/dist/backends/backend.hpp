// SPDX-License-Identifier: Apache-2.0
// What a transport has to do: three operations, completed in the order of their start. The communicator
// builds the others from them, checks the buffers, counts, records and words the errors.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"

namespace zt::dist {

enum class Primitive : uint8_t { AllGather, ReduceScatter, Broadcast };

/// Buffers are one-dimensional and contiguous, and may alias as in dist/communicator.hpp.
struct Operation {
  Primitive kind = Primitive::AllGather;
  at::Tensor input;   ///< undefined for Broadcast
  at::Tensor output;  ///< Broadcast: the buffer
  int root = 0;       ///< of Broadcast
  /// Uses the buffers of the operation before: nothing is read or written until that one is complete here.
  bool follows = false;
  std::function<void()> then = {};  ///< run when this rank's buffers are final, before anything that follows
  uint64_t sequence = 0;
  uint32_t fingerprint = 0;  ///< equal on all ranks that do the same; tells a diverged schedule
};

/// How a wait ended.
struct Outcome {
  enum class Kind { Done, PeerLost, Timeout, Cancelled, Diverged };
  Kind kind = Kind::Done;
  uint64_t sequence = 0;   ///< the operation that could not be completed
  std::vector<int> ranks;  ///< of the group: who is lost, missing or different
  std::string detail;      ///< the transport's own words; may be empty
};

/// Threads: start() and finish() by one caller at a time; abort() at any time.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  /// Where its buffers lie.
  virtual at::DeviceType device_type() const { return at::kCPU; }
  /// Takes the operation and returns without waiting for anybody.
  virtual void start(Operation operation) = 0;
  /// Completes all operations up to `sequence`. After anything but Done it is not called again.
  virtual Outcome finish(uint64_t sequence, clock::Deadline deadline) = 0;
  /// Ends a finish() that another thread is in, and lets go of everything that peers could wait on.
  virtual void abort() = 0;
};

}  // namespace zt::dist
