// SPDX-License-Identifier: Apache-2.0
// See run_rules.hpp.
#include "train/pass/run_rules.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "base/process/resources.hpp"
#include "models/network_set.hpp"
#include "models/scalar_type.hpp"

namespace zt::train {

namespace {

tensor::AutocastState autocast(config::MixedPrecision precision) {
  if (precision == config::MixedPrecision::Fp32) return {};
  return {true, models::scalar_type(precision)};
}

/// On the CPU there is nowhere to move the state to.
bool is_offloaded(const config::OptimJob& job, at::Device device) {
  return job.offload == config::Offload::Cpu && !device.is_cpu();
}

std::string network_of(const std::string& parameter) { return parameter.substr(0, parameter.find('.')); }

bool has_trainable(const params::ParamStore& store, std::string_view network) {
  const auto params = store.params();
  return std::any_of(params.begin(), params.end(), [&](const params::StoredParam& param) {
    return network_of(param.info.name) == network && store.segments()[param.segment].placement.trainable;
  });
}

}  // namespace

bool is_trainable(const config::TrainJob& job, const std::string& parameter) {
  if (job.stage == 2 && !models::is_motion(parameter)) return false;
  return std::none_of(job.freeze.begin(), job.freeze.end(),
                      [&](const std::string& part) { return parameter.find(part) != std::string::npos; });
}

Status check_freeze(const config::TrainJob& job, const params::ParamTable& table) {
  const auto trains = [&](const params::ParamInfo& info) {
    return !info.is_buffer && is_trainable(job, info.name);
  };
  if (std::ranges::any_of(table.params(), trains)) return {};
  return fail(
      ErrorCode::InvalidConfig,
      fmt::format("freeze: [{}] matches all parameters{}: nothing would train", fmt::join(job.freeze, ", "),
                  job.stage == 2 ? " of the motion modules, which are what stage 2 trains" : ""));
}

std::vector<std::string> freeze_misses(const config::TrainJob& job, const params::ParamTable& table) {
  const std::vector<std::string> usual = config::TrainJob().freeze;  // not of every network
  std::vector<std::string> misses;
  for (const std::string& part : job.freeze) {
    const auto has_part = [&](const params::ParamInfo& info) {
      return info.name.find(part) != std::string::npos;
    };
    if (std::ranges::find(usual, part) == usual.end() && std::ranges::none_of(table.params(), has_part))
      misses.push_back(part);
  }
  return misses;
}

params::PlacementRule placement_rule(const config::TrainJob& job, const params::ParamTable& table) {
  std::set<std::string> training_networks;
  for (const params::ParamInfo& info : table.params()) {
    if (!info.is_buffer && is_trainable(job, info.name)) training_networks.insert(network_of(info.name));
  }
  return [job, training_networks](const params::ParamInfo& info) {
    params::Placement placement;
    placement.trainable = is_trainable(job, info.name);
    if (placement.trainable && job.optimizer.use_8bit_adam)
      placement.optimizer_kind = static_cast<int>(optim::state_kind_8bit(info.numel()));
    if (!training_networks.contains(network_of(info.name)))
      placement.dtype = models::scalar_type(job.precision.frozen_dtype);
    else if (job.precision.trained_weights != config::TrainedWeights::Fp32 && info.shape.size() >= 2)
      placement.dtype = at::kBFloat16;  // norms and biases are small, and norms are computed in fp32
    return placement;
  };
}

size_t threads_of_rank(int64_t wanted, int64_t ranks) {
  if (wanted > 0) return static_cast<size_t>(wanted);
  return std::max<size_t>(1, static_cast<size_t>(resources::cores()) / static_cast<size_t>(ranks));
}

int64_t samples_per_step(const config::TrainJob& job) {
  return job.data.train_bs * job.optimizer.gradient_accumulation_steps * job.lanes;
}

int64_t sample_bytes(const config::TrainJob& job, const models::LatentShape& latents) {
  constexpr int64_t kPoseBytes = 3, kMomentBytes = 2 * sizeof(float);
  const config::DataJob& data = job.data;
  const int64_t pixels = data.width * data.height;
  const int64_t latent_pixels = pixels / (latents.scale_factor * latents.scale_factor) + 1;
  const int64_t of_frame = kPoseBytes * pixels + kMomentBytes * latents.channels * latent_pixels;
  return of_frame * (job.stage == 2 ? data.n_sample_frames : 1);
}

size_t prefetched_samples(const config::TrainJob& job, int64_t bytes_each, uint64_t of_step) {
  const int64_t fit = (job.data.decode_memory_mib << 20) / bytes_each;
  const int64_t asked = job.data.prefetch_batches * static_cast<int64_t>(of_step);
  return static_cast<size_t>(std::max<int64_t>(1, std::min(asked, fit)));
}

Result<optim::LrSchedule> lr_schedule(const config::TrainJob& job) {
  const double factor = job.optimizer.scale_lr ? static_cast<double>(samples_per_step(job)) : 1.0;
  return optim::lr_schedule(job.optimizer, job.optimizer.learning_rate * factor, job.max_train_steps);
}

optim::AdamWOptions adamw_options(const config::TrainJob& job, at::Device device) {
  const bool is_stochastic = job.precision.trained_weights == config::TrainedWeights::Bf16Stochastic;
  return {.beta1 = job.optimizer.adam_beta1,
          .beta2 = job.optimizer.adam_beta2,
          .eps = job.optimizer.adam_epsilon,
          .weight_decay = job.optimizer.adam_weight_decay,
          .bf16_weights = is_stochastic ? optim::Bf16Weights::Stochastic : optim::Bf16Weights::Master,
          .is_offloaded = is_offloaded(job.optimizer, device)};
}

optim::EmaOptions ema_options(const config::OptimJob& job, at::Device device) {
  return {.decay = job.ema_decay, .warmup = job.ema_warmup, .is_offloaded = is_offloaded(job, device)};
}

optim::LossScaler::Options scaler_options(const config::PrecisionJob& job) {
  optim::LossScaler::Options options;
  options.first_scale = job.init_loss_scale;
  options.growth_interval = job.loss_scale_growth_interval;
  return options;
}

tensor::GpuMath gpu_math(const config::PrecisionJob& job) {
  return {.allow_tf32 = job.tf32, .is_repeatable = job.repeatable};
}

ForwardRules forward_rules(const config::TrainJob& job, const params::ParamStore& store) {
  ForwardRules rules;
  rules.prediction = job.schedule.prediction_type;
  rules.weighting = {job.schedule.min_snr_variant, job.schedule.snr_gamma};
  rules.autocast = autocast(job.precision.mixed_precision);
  // A network whose weights are kept in a 16-bit type computes in it; one in fp32 computes as the others do.
  rules.frozen_autocast = job.precision.frozen_dtype == config::MixedPrecision::Fp32
                              ? rules.autocast
                              : autocast(job.precision.frozen_dtype);
  rules.bank_dtype = job.precision.bank_dtype;
  rules.trains_reference_net = has_trainable(store, models::kReferenceUNet);
  rules.trains_pose_guider = has_trainable(store, models::kPoseGuider);
  rules.recompute = job.gradient_checkpointing;
  return rules;
}

}  // namespace zt::train
