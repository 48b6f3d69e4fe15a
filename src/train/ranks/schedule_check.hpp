// SPDX-License-Identifier: Apache-2.0
// Before ranks exchange weights or gradients for the first time they compare what decides which exchanges
// they will make, in what order and how large. NCCL does not notice two operations of one size and type that
// are about different weights: it would sum them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "dist/communicator.hpp"
#include "params/param_store.hpp"

namespace zt::train {

/// How many passes a step has, and of which clips (Cursor::data_set).
struct StepShape {
  int64_t lanes = 0;
  int64_t micro_batches = 0;
  int64_t data_set = 0;
};

class ScheduleCheck {
 public:
  ScheduleCheck(const params::ParamStore& store, StepShape step);
  /// Collective at the first call, the same answer at every later one.
  /// Errors: Internal on all ranks if two differ, with the first that differs from rank 0 and in what; those
  /// of the exchange. Threads: any; one exchanges while others wait.
  Status compare(dist::Communicator& world, clock::Deadline deadline);

  static constexpr size_t kNumFacts = 5;

 private:
  std::array<uint64_t, kNumFacts> digests_;
  std::mutex mutex_;
  std::optional<Status> compared_;
};

}  // namespace zt::train
