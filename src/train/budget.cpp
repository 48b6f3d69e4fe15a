// SPDX-License-Identifier: Apache-2.0
// See budget.hpp.
#include "train/budget.hpp"

#include <string>

#include "base/text.hpp"
#include "train/lanes.hpp"
#include "train/run_rules.hpp"

namespace zt::train {
namespace {

constexpr uint64_t kFloatBytes = 4;
/// Two codes and two absmax per 256 elements.
constexpr double k8BitStateBytes = 2.0 + 2.0 * 4.0 / 256.0;
/// Activations of the size (pixels x channels) that one layer (ResNet, transformer) of one network keeps, and
/// a motion module beside it. Measured, as the shares below: see budget.hpp.
constexpr double kKeptPerLayer = 37.4;
constexpr double kKeptPerMotionLayer = 22;
/// Of an fp32 activation's bytes under bf16 and fp16: norms and losses stay fp32.
constexpr double kShortShare = 0.6;
/// What remains when activations are recomputed per unit: units' inputs, and one unit at work.
constexpr double kRecomputeShare = 0.3;
/// Likewise of the copies in the short type that a step makes of trained weights.
constexpr double kRecomputeCopies = 0.15;
/// Of a worker with libtorch, encoders and samples.
constexpr uint64_t kProcessBytes = uint64_t{300} << 20;
constexpr uint64_t kRoomForSamples = uint64_t{64} << 20;

std::string count_text(int64_t elements, double bytes_each) {
  return std::to_string(elements) + " x " + text::bytes(static_cast<uint64_t>(bytes_each + 0.5));
}

uint64_t frozen_bytes_each(const config::TrainJob& job) {
  return job.precision.frozen_dtype == config::MixedPrecision::Fp32 ? kFloatBytes : kFloatBytes / 2;
}

uint64_t bytes(int64_t elements, double each) {
  return static_cast<uint64_t>(static_cast<double>(elements) * each);
}

bool is_short(const config::TrainJob& job) {
  return job.precision.mixed_precision != config::MixedPrecision::Fp32;
}

double moment_bytes_each(const config::TrainJob& job) {
  return job.optimizer.use_8bit_adam ? k8BitStateBytes : 2.0 * kFloatBytes;
}

/// What a checkpoint holds of a trained element.
double trained_bytes_each(const config::TrainJob& job) {
  return kFloatBytes + moment_bytes_each(job) + (job.optimizer.ema_decay > 0 ? kFloatBytes : 0.0);
}

std::string times(int64_t ranks) { return ranks > 1 ? " x " + std::to_string(ranks) + " ranks" : ""; }

}  // namespace

ParamCounts count_params(const config::TrainJob& job, const params::ParamTable& table) {
  ParamCounts counts;
  for (const params::ParamInfo& info : table.params()) {
    const bool trains = !info.is_buffer && is_trainable(job, info.name);
    (trains ? counts.trainable : counts.frozen) += info.numel();
  }
  return counts;
}

uint64_t activation_bytes(const config::TrainJob& job, const models::UNetConfig& unet, int64_t scale_factor) {
  const int64_t frames = job.stage == 2 ? job.data.n_sample_frames : 1;
  const double pictures = static_cast<double>(job.data.train_bs * frames);
  double kept = 0;
  for (size_t level = 0; level < unet.block_out_channels.size(); ++level) {
    const double side = static_cast<double>(scale_factor) * static_cast<double>(int64_t{1} << level);
    const double pixels =
        static_cast<double>(job.data.width) * static_cast<double>(job.data.height) / (side * side);
    const double layers = 2.0 * static_cast<double>(unet.layers_per_block[level]) + 1.0;
    const double per_layer = job.stage == 2 ? kKeptPerLayer + kKeptPerMotionLayer : kKeptPerLayer;
    kept += pictures * pixels * static_cast<double>(unet.block_out_channels[level]) * layers * per_layer;
  }
  if (job.stage == 1) kept *= 2;  // ReferenceNet keeps as much as the denoising network
  const double each = kFloatBytes * (is_short(job) ? kShortShare : 1.0);
  return static_cast<uint64_t>(kept * each * (job.gradient_checkpointing ? kRecomputeShare : 1.0));
}

std::vector<resources::Demand> state_demands(const config::TrainJob& job, const params::ParamTable& table,
                                             int64_t ranks) {
  const ParamCounts counts = count_params(job, table);
  const double moments = moment_bytes_each(job);
  const auto copies = static_cast<uint64_t>(ranks);
  const uint64_t shared_copies = job.parallel.zero_stage == 0 ? copies : 1;
  const std::string shared_times = shared_copies > 1 ? times(ranks) : "";
  const auto lanes = static_cast<uint64_t>(job.lanes);
  std::vector<resources::Demand> demands = {
      {"trained weights (" + count_text(counts.trainable, kFloatBytes) + ")" + times(ranks),
       copies * bytes(counts.trainable, kFloatBytes)},
      {"frozen weights (" + count_text(counts.frozen, static_cast<double>(frozen_bytes_each(job))) + ")" +
           times(ranks),
       copies * bytes(counts.frozen, static_cast<double>(frozen_bytes_each(job)))},
      {"gradients (" + std::to_string(job.lanes) + " lanes)", lanes * bytes(counts.trainable, kFloatBytes)},
      {"optimizer state (" + count_text(counts.trainable, moments) + ")" + shared_times,
       shared_copies * bytes(counts.trainable, moments)},
  };
  if (job.optimizer.ema_decay > 0)
    demands.push_back(
        {"averaged weights" + shared_times, shared_copies * bytes(counts.trainable, kFloatBytes)});
  return demands;
}

std::vector<resources::Demand> memory_demands(const config::TrainJob& job,
                                              const models::NetworkConfigs& configs, int64_t scale_factor,
                                              int64_t ranks) {
  const params::ParamTable table = models::declare_networks(configs);
  std::vector<resources::Demand> demands = state_demands(job, table, ranks);
  const auto copies = static_cast<uint64_t>(ranks);
  if (is_short(job)) {
    const double each = kFloatBytes / 2 * (job.gradient_checkpointing ? kRecomputeCopies : 1.0);
    demands.push_back({"copies of weights in the short type (estimate)" + times(ranks),
                       copies * bytes(count_params(job, table).trainable, each)});
  }
  const auto threads = static_cast<int64_t>(threads_of_rank(job.threads, ranks));
  const int64_t lanes_of_rank = (job.lanes + ranks - 1) / ranks;
  const auto side_by_side = static_cast<uint64_t>(divide_threads(lanes_of_rank, threads).side_by_side);
  demands.push_back({"activations (estimate)" + times(ranks),
                     copies * side_by_side * activation_bytes(job, configs.denoising_unet, scale_factor)});
  if (ranks > 1) demands.push_back({"processes of the other ranks", (copies - 1) * kProcessBytes});
  return demands;
}

resources::Demand snapshot_demand(const config::TrainJob& job, const params::ParamTable& table,
                                  int64_t ranks) {
  const int64_t copies = job.parallel.zero_stage == 0 ? ranks : 1;
  const double each = trained_bytes_each(job);
  const int64_t elements = count_params(job, table).trainable;
  return {"two snapshots in memory of what trains (" + count_text(2 * elements, each) + ")" + times(copies),
          static_cast<uint64_t>(2 * copies) * bytes(elements, each)};
}

std::vector<resources::Demand> disk_demands(const config::TrainJob& job, const params::ParamTable& table) {
  const ParamCounts counts = count_params(job, table);
  const uint64_t one = bytes(counts.trainable, trained_bytes_each(job));
  const auto kept = static_cast<uint64_t>(job.checkpoint.keep_last + job.checkpoint.keep_best + 1);
  return {
      {std::to_string(kept) + " checkpoints of " + text::bytes(one), kept * one},
      {"frozen weights, which they share", bytes(counts.frozen, static_cast<double>(frozen_bytes_each(job)))},
      {"samples, events and logs", kRoomForSamples}};
}

}  // namespace zt::train
