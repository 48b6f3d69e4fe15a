// SPDX-License-Identifier: Apache-2.0
// The training loss: mean over the batch of weight(t) times the squared error of one sample, in fp32.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "diffusion/noise_schedule.hpp"

namespace zt::diffusion {

/// Weight of one sample's squared error. Moore is what Moore-AnimateAnyone's code does for velocity, min(snr
/// + 1, gamma) / (snr + 1); Standard is Hang et al. 2023 (arXiv 2303.09556) as later diffusers write it,
/// min(snr, gamma) / (snr + 1), which vanishes with snr, that is towards the last timestep of a
/// zero-terminal-SNR schedule. Both weigh epsilon with min(snr, gamma) / snr (1 where snr is 0, its limit)
/// and x0 with min(snr, gamma). None, or gamma <= 0: 1.
struct LossWeighting {
  config::MinSnrVariant variant = config::MinSnrVariant::Moore;
  double gamma = 5;
};
float loss_weight(const LossWeighting& weighting, Prediction prediction, float snr);

/// Shapes: timesteps_B int64 -> weights_B fp32 on the same device.
at::Tensor loss_weights(const NoiseSchedule& schedule, const LossWeighting& weighting, Prediction prediction,
                        const at::Tensor& timesteps_B);

struct DiffusionLoss {
  at::Tensor loss;              ///< 0-dim, differentiable: mean_b(weight_b * mse_b)
  at::Tensor per_sample_mse_B;  ///< not weighted, detached
};
/// Squared error in fp32 whatever the inputs' types. Shapes: output_B..., target_B... (same), weights_B or
/// undefined.
DiffusionLoss weighted_mse(const at::Tensor& output, const at::Tensor& target, const at::Tensor& weights_B);

/// Loss by noise level. The loss of one batch mostly tells which timesteps were drawn; its moving average per
/// bucket of timesteps shows whether the model learns.
class TimestepLosses {
 public:
  struct Bucket {
    double sum = 0;     ///< of the losses seen, each weighted (1 - decay) decay^age
    double weight = 0;  ///< of the same weights
    int64_t count = 0;
  };
  /// Requires 0 < num_buckets <= num_timesteps and 0 <= decay < 1.
  TimestepLosses(int64_t num_buckets, int64_t num_timesteps, double decay = 0.98);
  /// Requires 0 <= timestep < num_timesteps. A loss that is not finite is left out.
  void add(int64_t timestep, double loss);
  /// Empty until the bucket has seen a loss.
  std::optional<double> average(size_t bucket) const;
  /// First and last timestep of a bucket.
  std::pair<int64_t, int64_t> range(size_t bucket) const;
  /// The whole state, for checkpoints; restore() requires the same number of buckets.
  const std::vector<Bucket>& buckets() const { return buckets_; }
  void restore(std::vector<Bucket> buckets);

 private:
  int64_t num_timesteps_;
  double decay_;
  std::vector<Bucket> buckets_;
};

}  // namespace zt::diffusion
