// SPDX-License-Identifier: Apache-2.0
// A tiny model in training on made-up samples.
#pragma once

#include <ATen/ATen.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/tiny_networks.hpp"
#include "train/stepper.hpp"

namespace zt::test {

struct Trainer {
  explicit Trainer(const config::TrainJob& train_job, int64_t num_threads = 1,
                   at::Device on_device = at::kCPU)
      : job(train_job),
        device(on_device),
        schedule(diffusion::NoiseSchedule::make(diffusion::noise_schedule_config(job.schedule)).value()),
        state(train::make_model_state(tiny_networks(job, {}, device), job)),
        stepper(state, ranks, schedule, train::forward_rules(job, *state.networks.store),
                {.max_grad_norm = job.optimizer.max_grad_norm,
                 .num_lanes = job.lanes,
                 .num_threads = num_threads,
                 .check_every_steps = job.parallel.check_every_steps}) {}

  train::BatchRules batch_rules() const {
    train::BatchRules rules;
    rules.seed = static_cast<uint64_t>(job.seed);
    rules.schedule = job.schedule;
    rules.condition = job.condition;
    rules.null_embedding_D = at::zeros({kTinyContext});
    rules.device = device;
    return rules;
  }
  /// Lanes and micro batches take consecutive samples.
  train::StepBatches batches(uint64_t first) const {
    train::StepBatches all(static_cast<size_t>(job.lanes));
    for (std::vector<train::Batch>& lane : all) {
      for (int64_t m = 0; m < job.optimizer.gradient_accumulation_steps; ++m) {
        const auto samples = noise_samples(job, first, static_cast<size_t>(job.data.train_bs));
        lane.push_back(train::assemble(samples, train::roll_samples(samples, batch_rules()), batch_rules()));
        first += samples.size();
      }
    }
    return all;
  }
  Result<train::StepReport> try_step(uint64_t first) {
    return stepper.step(batches(first), job.optimizer.learning_rate);
  }
  train::StepReport step(uint64_t first) { return try_step(first).value(); }
  std::string digest(std::string_view prefix = "") const { return state.networks.store->digest(prefix); }

  config::TrainJob job;
  at::Device device;
  diffusion::NoiseSchedule schedule;
  train::ModelState state;
  train::Ranks ranks;  ///< one
  train::Stepper stepper;
};

}  // namespace zt::test
