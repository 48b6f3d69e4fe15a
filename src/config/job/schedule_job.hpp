// SPDX-License-Identifier: Apache-2.0
// Noise schedule, prediction target, timesteps and loss weight.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "config/enum_names.hpp"

namespace zt::config {

class Listing;

enum class BetaSchedule { Linear, ScaledLinear };
template <>
struct EnumNames<BetaSchedule> {
  static constexpr std::array<std::string_view, 2> values = {"linear", "scaled_linear"};
};

/// Schedule of a sampler: the one the weights were trained with, or another by name (the reference trains
/// with scaled_linear and samples with linear).
enum class SamplerBetas { AsTrained, Linear, ScaledLinear };
template <>
struct EnumNames<SamplerBetas> {
  static constexpr std::array<std::string_view, 3> values = {"as_trained", "linear", "scaled_linear"};
};

enum class PredictionType { VPrediction, Epsilon, Sample };
template <>
struct EnumNames<PredictionType> {
  static constexpr std::array<std::string_view, 3> values = {"v_prediction", "epsilon", "sample"};
};

/// Uniform: every t alike. Power: t = T (1 - u^k), k = timestep_power; k > 1 prefers noisy ones.
enum class TimestepDistribution { Uniform, Power };
template <>
struct EnumNames<TimestepDistribution> {
  static constexpr std::array<std::string_view, 2> values = {"uniform", "power"};
};

/// Moore: min(snr + 1, gamma) / (snr + 1) for v. Standard: min(snr, gamma) / (snr + 1). None: plain MSE.
enum class MinSnrVariant { Moore, Standard, None };
template <>
struct EnumNames<MinSnrVariant> {
  static constexpr std::array<std::string_view, 3> values = {"moore", "standard", "none"};
};

enum class TimestepSpacing { Trailing, Leading, Linspace };
template <>
struct EnumNames<TimestepSpacing> {
  static constexpr std::array<std::string_view, 3> values = {"trailing", "leading", "linspace"};
};

struct ScheduleJob {
  int64_t num_train_timesteps = 1000;
  double beta_start = 0.00085;
  double beta_end = 0.012;
  BetaSchedule beta_schedule = BetaSchedule::ScaledLinear;
  bool enable_zero_snr = true;
  PredictionType prediction_type = PredictionType::VPrediction;
  TimestepDistribution timestep_distribution = TimestepDistribution::Uniform;
  double timestep_power = 2.0;
  double noise_offset = 0.05;
  double snr_gamma = 5.0;  ///< 0 = plain MSE
  MinSnrVariant min_snr_variant = MinSnrVariant::Moore;
};

void describe(Listing& listing, ScheduleJob& job);

}  // namespace zt::config
