// SPDX-License-Identifier: Apache-2.0
#include "diffusion/loss.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "tensor/require.hpp"

namespace zt::diffusion {

float loss_weight(const LossWeighting& weighting, Prediction prediction, float snr) {
  if (weighting.variant == config::MinSnrVariant::None || weighting.gamma <= 0) return 1;
  const auto gamma = static_cast<float>(weighting.gamma);
  switch (prediction) {
    case Prediction::Epsilon:
      return snr > 0 ? std::min(snr, gamma) / snr : 1.0F;
    case Prediction::Sample:
      return std::min(snr, gamma);
    case Prediction::VPrediction:
      break;
  }
  const float shifted = snr + 1.0F;
  return std::min(weighting.variant == config::MinSnrVariant::Moore ? shifted : snr, gamma) / shifted;
}

at::Tensor loss_weights(const NoiseSchedule& schedule, const LossWeighting& weighting, Prediction prediction,
                        const at::Tensor& timesteps_B) {
  const at::Tensor t = timesteps_B.to(at::kCPU).contiguous();
  ZT_REQUIRE(t.dim() == 1 && t.scalar_type() == at::kLong, "wanted timesteps (B,) int64, got ", t);
  at::Tensor weights_B = at::empty({t.size(0)}, at::kFloat);
  for (int64_t b = 0; b < t.size(0); ++b) {
    const int64_t timestep = t.const_data_ptr<int64_t>()[b];
    ZT_REQUIRE(timestep >= 0 && timestep < schedule.num_timesteps(), "timestep ", timestep,
               " is outside [0, ", schedule.num_timesteps(), ")");
    weights_B.mutable_data_ptr<float>()[b] = loss_weight(weighting, prediction, schedule.snr(timestep));
  }
  return weights_B.to(timesteps_B.device());
}

DiffusionLoss weighted_mse(const at::Tensor& output, const at::Tensor& target, const at::Tensor& weights_B) {
  ZT_REQUIRE(output.dim() >= 2 && output.sizes() == target.sizes(), "output ", output, ", target ", target);
  ZT_REQUIRE(!weights_B.defined() || (weights_B.dim() == 1 && weights_B.size(0) == output.size(0)),
             "weights ", weights_B, " for output ", output);
  const at::Tensor error = output.to(at::kFloat) - target.to(at::kFloat);
  const at::Tensor mse_B = error.square().flatten(1).mean(1);
  const at::Tensor weighted_B = weights_B.defined() ? mse_B * weights_B : mse_B;
  return {weighted_B.mean(), mse_B.detach()};
}

TimestepLosses::TimestepLosses(int64_t num_buckets, int64_t num_timesteps, double decay)
    : num_timesteps_(num_timesteps),
      decay_(decay),
      buckets_(static_cast<size_t>(std::max<int64_t>(num_buckets, 1))) {
  ZT_REQUIRE(num_buckets > 0 && num_buckets <= num_timesteps, num_buckets, " buckets for ", num_timesteps,
             " timesteps");
  ZT_REQUIRE(decay >= 0 && decay < 1, "decay ", decay);
}

void TimestepLosses::add(int64_t timestep, double loss) {
  ZT_REQUIRE(timestep >= 0 && timestep < num_timesteps_, "timestep ", timestep, " is outside [0, ",
             num_timesteps_, ")");
  if (!std::isfinite(loss)) return;
  Bucket& bucket =
      buckets_[static_cast<size_t>(timestep) * buckets_.size() / static_cast<size_t>(num_timesteps_)];
  bucket.sum = decay_ * bucket.sum + (1 - decay_) * loss;
  bucket.weight = decay_ * bucket.weight + (1 - decay_);
  ++bucket.count;
}

std::optional<double> TimestepLosses::average(size_t bucket) const {
  const Bucket& b = buckets_.at(bucket);
  if (b.count == 0) return std::nullopt;
  return b.sum / b.weight;
}

std::pair<int64_t, int64_t> TimestepLosses::range(size_t bucket) const {
  const auto count = static_cast<int64_t>(buckets_.size()), index = static_cast<int64_t>(bucket);
  const auto first_of = [&](int64_t i) { return (i * num_timesteps_ + count - 1) / count; };
  return {first_of(index), first_of(index + 1) - 1};
}

void TimestepLosses::restore(std::vector<Bucket> buckets) {
  ZT_REQUIRE(buckets.size() == buckets_.size(), "wanted ", buckets_.size(), " buckets, got ", buckets.size());
  buckets_ = std::move(buckets);
}

}  // namespace zt::diffusion
