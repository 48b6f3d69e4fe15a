// SPDX-License-Identifier: Apache-2.0
// Encoded samples in order, made ahead by background threads, so that the training loop does not wait for
// data. Each thread takes the next sample number, plans, decodes and encodes it alone (one libtorch thread
// each); next() hands the samples out by number. The samples do not depend on the number of threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>

#include "base/error.hpp"
#include "data/sample/sample_plan.hpp"
#include "prepare/sample_encoder.hpp"

namespace zt::contract {
class SamplesInHand;
}

namespace zt::prepare {

/// The samples of a stream that are made: of every `period` those from `begin` on, `size` of them.
struct StreamShare {
  uint64_t period = 1;
  uint64_t begin = 0;
  uint64_t size = 1;
};

struct StreamOptions {
  data::SamplePlanOptions plan;
  StreamShare share = {};
  size_t num_threads = 1;
  size_t prefetch = 8;                          ///< finished samples that may wait, > 0: bounds the memory
  std::chrono::milliseconds deadline{300'000};  ///< longest wait for one sample
  size_t max_attempts =
      64;  ///< clips tried for one sample when files can't be read; more where many are known
  std::set<int64_t> left_out = {};                 ///< clips treated as if they could not be read
  std::function<bool()> should_stop = {};          ///< asked while next() waits; may be empty
  std::chrono::milliseconds end_deadline{60'000};  ///< longest wait at the end for samples in the making
  std::shared_ptr<contract::SamplesInHand> in_hand = {};  ///< told of samples in the making; may be empty
};

struct StreamStats {
  uint64_t samples = 0;   ///< handed out
  uint64_t begun = 0;     ///< made, or in the making
  uint64_t replaced = 0;  ///< whose first clip could not be read
};

/// Threads: next() from one thread.
class SampleStream {
 public:
  /// Starts at global sample number `first`, where a period begins. The encoder is shared, with all that it
  /// reads, because of a thread that outlives the stream.
  SampleStream(std::shared_ptr<const SampleEncoder> encoder, StreamOptions options, uint64_t first);
  /// Waits for the samples in the making. A thread that hangs in a dead disk is left to itself after the
  /// deadline.
  ~SampleStream();
  SampleStream(const SampleStream&) = delete;
  SampleStream& operator=(const SampleStream&) = delete;

  /// Errors: Timeout after the deadline; Cancelled when asked to stop; a clip's own error when no replacement
  /// could be read either; one that is no fault of a clip (data::is_fault_of_clip()), at once.
  Result<EncodedSample> next();
  StreamStats stats() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  ///< the threads' too
};

}  // namespace zt::prepare
