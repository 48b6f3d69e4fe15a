// SPDX-License-Identifier: Apache-2.0
// See validation.hpp.
#include "train/pass/validation.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/log.hpp"
#include "data/from_job.hpp"
#include "data/sample/clip_file.hpp"

namespace zt::train {

Result<std::optional<data::ClipIndex>> validation_clips(const config::TrainJob& job) {
  if (job.data.index.empty()) return std::nullopt;
  ZT_TRY_ASSIGN(const data::ClipIndex all, data::read_index(job.data.index));
  data::ClipIndex chosen = data::select_split(all, job.validation.split);
  return chosen.clips.empty() ? std::nullopt : std::optional(std::move(chosen));
}

data::SamplePlanOptions validation_plan(const config::TrainJob& job) {
  data::SamplePlanOptions plan =
      data::plan_options(job.data, job.stage, static_cast<uint64_t>(job.validation.seed));
  plan.crop.scale_min = plan.crop.scale_max = 1.0;
  return plan;
}

int64_t validation_timestep(int64_t i, int64_t n, int64_t num_timesteps) {
  return (2 * i + 1) * num_timesteps / (2 * n);
}

Result<ValidationSet> ValidationSet::open(const prepare::SampleEncoder& encoder, const config::TrainJob& job,
                                          const std::function<bool()>& should_stop) {
  const data::SamplePlanOptions plan = validation_plan(job);
  ValidationSet set;
  set.seed_ = plan.seed;
  set.batch_size_ = static_cast<size_t>(job.data.train_bs);
  const int64_t n = job.validation.num_loss_samples;
  for (int64_t i = 0; i < n; ++i) {
    ZT_TRY_ASSIGN(const data::SamplePlan sample,
                  data::plan_sample(plan, encoder.index(), static_cast<uint64_t>(i)));
    if (should_stop()) return fail(ErrorCode::Cancelled, "stopped on request");
    Result<prepare::EncodedSample> encoded = encoder.encode(sample);
    if (!encoded && !data::is_fault_of_clip(encoded.error())) return fail(encoded.error());
    if (!encoded) {
      log::warn("train", "validation sample left out: " + encoded.error().text());
      ++set.num_unreadable_;
      continue;
    }
    set.samples_.push_back(*std::move(encoded));
    set.rolls_.push_back({validation_timestep(i, n, job.schedule.num_train_timesteps), /*is_dropped=*/false});
  }
  return set;
}

double ValidationSet::loss(const StepNetworks& nets, const diffusion::NoiseSchedule& schedule,
                           const ForwardRules& forward, BatchRules rules,
                           const std::function<void()>& on_batch) const {
  const at::NoGradGuard no_grad;
  rules.seed = seed_;
  double sum = 0;
  for (size_t first = 0; first < samples_.size(); first += batch_size_) {
    const size_t count = std::min(batch_size_, samples_.size() - first);
    const Batch batch =
        assemble(std::span(samples_).subspan(first, count), std::span(rolls_).subspan(first, count), rules);
    sum += forward_loss(nets, schedule, batch, forward).loss.item<double>() * static_cast<double>(count);
    on_batch();
  }
  return sum / static_cast<double>(samples_.size());
}

}  // namespace zt::train
