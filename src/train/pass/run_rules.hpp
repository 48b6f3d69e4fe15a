// SPDX-License-Identifier: Apache-2.0
// From a run's configuration to the settings of the pieces that compute. Pure.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/job/train_job.hpp"
#include "models/encoder_shapes.hpp"
#include "optim/adamw.hpp"
#include "optim/ema.hpp"
#include "optim/loss_scaler.hpp"
#include "optim/lr_schedule.hpp"
#include "params/param_store.hpp"
#include "params/param_table.hpp"
#include "tensor/device.hpp"
#include "train/pass/forward.hpp"

namespace zt::train {

/// Stage 1 trains everything but what `freeze` names; stage 2 the motion modules alone, likewise.
bool is_trainable(const config::TrainJob& job, const std::string& parameter);

/// InvalidConfig if `freeze` leaves nothing to train.
Status check_freeze(const config::TrainJob& job, const params::ParamTable& table);
/// Entries of `freeze` that are in no parameter's name: misspelt, it seems. (The default may be, too.)
std::vector<std::string> freeze_misses(const config::TrainJob& job, const params::ParamTable& table);

/// Trainable parameters have 8-bit optimizer state where the job wants it. Networks of `table` with trainable
/// parameters are kept in precision.trained_weights, the others in precision.frozen_dtype.
params::PlacementRule placement_rule(const config::TrainJob& job, const params::ParamTable& table);

/// Samples of one optimizer step: train_bs x accumulation x lanes.
int64_t samples_per_step(const config::TrainJob& job);

/// Bytes of a sample that is ready: poses and moments of latents.
int64_t sample_bytes(const config::TrainJob& job, const models::LatentShape& latents);

/// Samples of so many bytes that may be ready before their step, for a rank that takes `of_step` of them
/// each: as many batches as the job asks for, as far as data.decode_memory_mib goes, and one in any case.
size_t prefetched_samples(const config::TrainJob& job, int64_t bytes_each, uint64_t of_step);

/// Threads of libtorch: `wanted`, or an equal share of the cores. Ranks of other hosts are not told apart.
size_t threads_of_rank(int64_t wanted, int64_t ranks);

/// Errors: InvalidConfig for piecewise rules that can't be read.
Result<optim::LrSchedule> lr_schedule(const config::TrainJob& job);
/// For parameters on `device`.
optim::AdamWOptions adamw_options(const config::TrainJob& job, at::Device device);
optim::EmaOptions ema_options(const config::OptimJob& job, at::Device device);
optim::LossScaler::Options scaler_options(const config::PrecisionJob& job);

tensor::GpuMath gpu_math(const config::PrecisionJob& job);

/// What trains is read off the store.
ForwardRules forward_rules(const config::TrainJob& job, const params::ParamStore& store);

}  // namespace zt::train
