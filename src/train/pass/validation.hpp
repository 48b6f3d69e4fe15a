// SPDX-License-Identifier: Apache-2.0
// The fixed-noise validation loss: the same samples, noise and timesteps every time, with every reference
// kept, so that two steps of a run, and two runs, can be compared by one number. It has no side effects on
// training.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "config/job/train_job.hpp"
#include "data/clip_index.hpp"
#include "prepare/sample_encoder.hpp"
#include "train/pass/batch.hpp"
#include "train/pass/forward.hpp"

namespace zt::train {

/// Clips of the validation split; nothing if the data set has none, as lists given by data.meta_paths.
Result<std::optional<data::ClipIndex>> validation_clips(const config::TrainJob& job);

/// How validation samples are planned: as training, but the whole picture, and with validation's own seed.
data::SamplePlanOptions validation_plan(const config::TrainJob& job);

/// Timestep of validation sample i of n: the middle of the i-th of n equal parts of [0, T).
int64_t validation_timestep(int64_t i, int64_t n, int64_t num_timesteps);

/// The samples of the loss, encoded once and kept in memory.
class ValidationSet {
 public:
  /// Samples of clips that can't be read are named, counted and left out. Errors: what is no fault of a clip
  /// (data::is_fault_of_clip); Cancelled.
  static Result<ValidationSet> open(const prepare::SampleEncoder& encoder, const config::TrainJob& job,
                                    const std::function<bool()>& should_stop);

  bool is_empty() const { return samples_.empty(); }
  int64_t num_unreadable() const { return num_unreadable_; }

  /// Requires a sample. Mean weighted loss. `rules` are training's; seed and dropout are replaced.
  /// `on_batch` is called after each.
  double loss(const StepNetworks& nets, const diffusion::NoiseSchedule& schedule, const ForwardRules& forward,
              BatchRules rules, const std::function<void()>& on_batch) const;

 private:
  std::vector<prepare::EncodedSample> samples_;
  std::vector<SampleRoll> rolls_;
  int64_t num_unreadable_ = 0;
  uint64_t seed_ = 0;
  size_t batch_size_ = 1;
};

}  // namespace zt::train
