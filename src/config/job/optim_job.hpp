// SPDX-License-Identifier: Apache-2.0
// Optimizer, learning-rate schedule, averaging and number formats.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "config/enum_names.hpp"

namespace zt::config {

class Listing;

/// The diffusers names; flat_cosine: warm-up, flat for lr_flat_fraction of the steps, cosine to
/// lr_final_ratio; and DeepSpeed's WarmupLR, WarmupDecayLR and WarmupCosineLR.
enum class LrScheduler {
  Constant,  ///< ignores the warm-up, as diffusers does
  ConstantWithWarmup,
  Linear,
  Cosine,
  CosineWithRestarts,
  Polynomial,
  PiecewiseConstant,
  FlatCosine,
  DeepspeedWarmup,
  DeepspeedWarmupDecay,
  DeepspeedWarmupCosine
};
template <>
struct EnumNames<LrScheduler> {
  static constexpr std::array<std::string_view, 11> values = {"constant",
                                                              "constant_with_warmup",
                                                              "linear",
                                                              "cosine",
                                                              "cosine_with_restarts",
                                                              "polynomial",
                                                              "piecewise_constant",
                                                              "flat_cosine",
                                                              "deepspeed_warmup",
                                                              "deepspeed_warmup_decay",
                                                              "deepspeed_warmup_cosine"};
};

/// How the rate rises in DeepSpeed's schedules.
enum class WarmupCurve { Log, Linear };
template <>
struct EnumNames<WarmupCurve> {
  static constexpr std::array<std::string_view, 2> values = {"log", "linear"};
};

/// Where the optimizer's state and the averages are kept and stepped: beside the weights, or in host memory.
enum class Offload { None, Cpu };
template <>
struct EnumNames<Offload> {
  static constexpr std::array<std::string_view, 2> values = {"none", "cpu"};
};

struct OptimJob {
  double learning_rate = 1e-5;
  bool scale_lr = false;  ///< multiply by accumulation x batch x lanes
  LrScheduler lr_scheduler = LrScheduler::Constant;
  int64_t lr_warmup_steps = 1;
  double lr_num_cycles = 0.5;     ///< cosine: half waves are .5; cosine_with_restarts rounds up to whole ones
  double lr_power = 1.0;          ///< polynomial
  std::string lr_step_rules;      ///< piecewise_constant: "1:10,0.1:20,0.01" as in diffusers
  double lr_flat_fraction = 0.3;  ///< flat_cosine
  double lr_final_ratio = 0.02;   ///< flat_cosine, deepspeed_warmup_cosine: last rate / learning_rate
  int64_t lr_total_steps = 0;     ///< steps that a decay is planned for; 0 = the run's
  WarmupCurve lr_warmup_curve = WarmupCurve::Log;  ///< deepspeed_*
  double lr_warmup_start = 0.0;  ///< deepspeed_*: first rate / learning_rate; of deepspeed_warmup_decay also
                                 ///< the last
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_weight_decay = 0.01;
  double adam_epsilon = 1e-8;
  bool use_8bit_adam = false;
  Offload offload = Offload::None;
  double max_grad_norm = 1.0;      ///< 0 = no clipping
  int64_t max_skipped_steps = 20;  ///< in a row, before they are made again from the last checkpoint
  int64_t gradient_accumulation_steps = 1;
  double ema_decay = 0.0;  ///< 0 = no averaged weights
  bool ema_warmup = true;  ///< decay of step n is min(ema_decay, (1 + n) / (10 + n))
};

void describe(Listing& listing, OptimJob& job);

enum class MixedPrecision { Fp32, Bf16, Fp16 };
template <>
struct EnumNames<MixedPrecision> {
  static constexpr std::array<std::string_view, 3> values = {"fp32", "bf16", "fp16"};
};

/// Numbers of the reference bank on its way into the denoising network. Fp16 is the reference's unconditional
/// cast.
enum class BankDtype { Compute, Fp16 };
template <>
struct EnumNames<BankDtype> {
  static constexpr std::array<std::string_view, 2> values = {"compute", "fp16"};
};

/// Weights of the networks that train, those of one dimension excepted. Bf16 keeps fp32 ones in the
/// optimizer, divided among ranks as its other state; Bf16Stochastic keeps no others and rounds updates at
/// random.
enum class TrainedWeights { Fp32, Bf16, Bf16Stochastic };
template <>
struct EnumNames<TrainedWeights> {
  static constexpr std::array<std::string_view, 3> values = {"fp32", "bf16", "bf16_stochastic"};
};

struct PrecisionJob {
  MixedPrecision mixed_precision = MixedPrecision::Fp32;  ///< autocast of the trained networks
  TrainedWeights trained_weights = TrainedWeights::Fp32;  ///< bf16 ones need mixed_precision bf16
  MixedPrecision frozen_dtype = MixedPrecision::Fp32;     ///< weights of networks that do not train
  BankDtype bank_dtype = BankDtype::Compute;
  double init_loss_scale = 65536.0;           ///< fp16
  int64_t loss_scale_growth_interval = 2000;  ///< fp16: steps without overflow before the scale doubles
  bool tf32 = false;                          ///< GPU: see tensor::GpuMath
  bool repeatable = true;
};

void describe(Listing& listing, PrecisionJob& job);

}  // namespace zt::config
