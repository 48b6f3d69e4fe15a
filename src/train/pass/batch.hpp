// SPDX-License-Identifier: Apache-2.0
// A batch of encoded samples as the tensors of one forward pass. Pure: the same samples and rules give the
// same tensors. Shapes: B items, C latent channels, F frames, h w latent size, H W picture size, R items that
// keep their reference (R <= B), L = 1 context token, D context width.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "config/job/schedule_job.hpp"
#include "config/job/train_job.hpp"
#include "prepare/sample_encoder.hpp"

namespace zt::train {

struct Batch {
  at::Tensor latents_BCFHW;   ///< clean, scaled
  at::Tensor noise_BCFHW;     ///< offset included
  at::Tensor timesteps_B;     ///< int64, on the CPU: coefficients are looked up there
  at::Tensor pose_BCFHW;      ///< in [0, 1], picture size
  at::Tensor context_BLD;     ///< the image embedding, or the null condition
  at::Tensor reference_RCHW;  ///< scaled; undefined when every item was dropped
  at::Tensor reference_context_RLD;
  std::vector<int64_t> bank_row_B;  ///< row of each item in the references, -1 = dropped

  int64_t size() const { return timesteps_B.size(0); }
  bool has_references() const { return reference_RCHW.defined(); }
};

struct BatchRules {
  uint64_t seed = 0;
  config::ScheduleJob schedule;
  config::ConditionJob condition;
  double latent_scaling = 1;
  at::Tensor null_embedding_D;  ///< the context of a dropped item
  at::Device device = at::kCPU;
};

/// What noise and dropout a sample gets; validation fixes them instead of drawing.
struct SampleRoll {
  int64_t timestep = 0;
  bool is_dropped = false;
};
/// Draws for the samples of one batch, in order.
std::vector<SampleRoll> roll_samples(std::span<const prepare::EncodedSample> samples,
                                     const BatchRules& rules);

/// Requires at least one sample, all of one shape, and as many rolls.
Batch assemble(std::span<const prepare::EncodedSample> samples, std::span<const SampleRoll> rolls,
               const BatchRules& rules);

}  // namespace zt::train
