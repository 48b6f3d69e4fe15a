// SPDX-License-Identifier: Apache-2.0
// Ranks that train tiny networks together: each a thread with networks of its own; they meet through a real
// store and real shared memory, or Gloo.
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "checkpoint/reader.hpp"
#include "checkpoint/saver.hpp"
#include "optim/ema.hpp"
#include "rendezvous/server.hpp"
#include "support/join_ranks.hpp"
#include "support/tiny_networks.hpp"
#include "train/pass/run_rules.hpp"
#include "train/plan/unit_policy.hpp"
#include "train/ranks/ranks.hpp"
#include "train/stepper.hpp"

namespace zt::test::ranks {

using namespace zt::train;

/// Four lanes of one sample, 8-bit optimizer state, averages, half of the lanes without a reference.
inline config::TrainJob job_of(int64_t stage, int64_t zero_stage) {
  config::TrainJob job = test::tiny_job(stage);
  job.lanes = 4;
  job.data.train_bs = 1;
  job.parallel.zero_stage = zero_stage;
  job.parallel.timeout_s = 20;
  job.optimizer.ema_decay = 0.9;
  job.optimizer.use_8bit_adam = true;
  job.condition.uncond_ratio = 0.5;  // lanes without reference leave ReferenceNet untouched
  return job;
}

using Tensors = std::map<std::string, at::Tensor>;

/// What a run's training came to.
struct Trained {
  std::vector<double> losses, norms;
  Tensors state;  ///< parameters, moments, averages: of one rank its pieces, or all ranks' together
};

/// Copies a rank's pieces into whole tensors.
inline void collect(const std::vector<params::StateTensor>& pieces, Tensors& whole) {
  for (const params::StateTensor& t : pieces) {
    const std::vector<int64_t> shape = t.piece ? t.piece->whole_shape : t.value.sizes().vec();
    at::Tensor& into = whole.try_emplace(t.name, at::zeros(shape, t.value.options())).first->second;
    into.view(-1)
        .narrow(0, t.piece ? t.piece->begin : 0, t.value.numel())
        .copy_(t.value.detach().reshape(-1));
  }
}

class Rank {
 public:
  Rank(const config::TrainJob& train_job, Ranks all)
      : job(train_job),
        ranks(std::move(all)),
        schedule(diffusion::NoiseSchedule::make(diffusion::noise_schedule_config(job.schedule)).value()),
        state(make_model_state(
            test::tiny_networks(job, residency_rule(job, ranks, {.levels = 2, .scale_factor = 4})), job)),
        are_shared(
            (ranks.share_units(*state.networks.store, {job.lanes, job.optimizer.gradient_accumulation_steps}),
             true)),
        stepper(state, ranks, schedule, forward_rules(job, *state.networks.store),
                {.max_grad_norm = 1,
                 .num_lanes = job.lanes,
                 .num_threads = job.threads,
                 .check_every_steps = job.parallel.check_every_steps}) {}
  ~Rank() { ranks = Ranks(); }  // before the store whose units they bring
  Rank(const Rank&) = delete;
  Rank& operator=(const Rank&) = delete;

  /// As on a GPU with optimizer.offload: cpu, in pieces that cut the larger segments.
  void offload() {
    optim::AdamWOptions options = adamw_options(job, at::kCPU);
    options.is_offloaded = true;
    options.piece_elements = 1024;
    state.optimizer = std::make_unique<optim::AdamW>(*state.networks.store, options);
  }
  /// Called with each micro batch of each lane before a step.
  std::function<void(int64_t lane, Batch& batch)> alter = [](int64_t, Batch&) {};

  Result<StepReport> try_step() {
    const auto of_step = static_cast<uint64_t>(samples_per_step(job));
    return stepper.step(batches(next_++ * of_step), 1e-3);
  }
  StepReport step() { return try_step().value(); }
  void train(uint64_t steps, Trained& out) {
    for (uint64_t i = 0; i < steps; ++i) {
      const StepReport report = step();
      out.losses.push_back(report.loss);
      out.norms.push_back(report.norms.total);
    }
  }
  std::vector<params::StateTensor> state_pieces() const { return state_tensors(state); }
  /// The loss on the first rank, as validation measures it: by averages.
  double validate() {
    double loss = 0;
    const optim::EmaScope averages(state.ema.get(),
                                   [&] { EXPECT_TRUE(ranks.gather_values(*state.networks.store)); });
    const Status done = ranks.on_first([&]() -> Status {
      const at::NoGradGuard no_grad;
      const models::NetworkSet& set = state.networks;
      const StepNetworks nets{*set.reference_net, *set.denoising_unet, *set.pose_guider};
      loss = forward_loss(nets, schedule, batches(0).front().front(), stepper.rules()).loss.item<double>();
      return {};
    });
    EXPECT_TRUE(done) << done.error().text();
    return loss;
  }
  int64_t sent() const { return ranks.traffic().total().elements_sent; }
  int64_t shards() const { return state.networks.store->most_shards(); }
  int64_t num_trainable() const { return state.networks.store->num_trainable(); }
  std::span<const params::Segment> segments() const {
    return std::as_const(*state.networks.store).segments();
  }
  void resume(const checkpoint::Reader& reader) {
    const Status restored = restore(state, reader);
    ASSERT_TRUE(restored) << restored.error().text();
    next_ = static_cast<uint64_t>(reader.manifest().step);
  }
  void save(const std::filesystem::path& folder) {
    checkpoint::Saver saver({.folder = folder,
                             .run_id = "r",
                             .config_digest = "d",
                             .generation = 1,
                             .retention = {},
                             .meeting = ranks.meeting()});
    Cursor cursor(job.schedule.num_train_timesteps);
    cursor.step = static_cast<int64_t>(next_);
    saver.save_in_place(snapshot_of(state, cursor, ranks.rank()));
    const checkpoint::SaveResult saved = saver.take_results().at(0);
    EXPECT_TRUE(saved.status) << saved.status.error().text();
  }

 private:
  StepBatches batches(uint64_t first) const {
    BatchRules rules;
    rules.seed = static_cast<uint64_t>(job.seed);
    rules.schedule = job.schedule;
    rules.condition = job.condition;
    rules.null_embedding_D = at::zeros({test::kTinyContext});
    const params::Range lanes = ranks.lanes(job.lanes);
    const int64_t of_micro = job.data.train_bs, micros = job.optimizer.gradient_accumulation_steps;
    StepBatches all(static_cast<size_t>(lanes.size()));
    for (int64_t i = 0; i < lanes.size() * micros; ++i) {  // lane by lane, as the loop takes them
      const auto sample = first + static_cast<uint64_t>((lanes.begin * micros + i) * of_micro);
      const auto samples = test::noise_samples(job, sample, static_cast<size_t>(of_micro));
      Batch batch = assemble(samples, roll_samples(samples, rules), rules);
      alter(lanes.begin + i / micros, batch);
      all[static_cast<size_t>(i / micros)].push_back(std::move(batch));
    }
    return all;
  }

  config::TrainJob job;
  Ranks ranks;
  diffusion::NoiseSchedule schedule;
  ModelState state;
  bool are_shared = false;
  Stepper stepper;
  uint64_t next_ = 0;
};

/// Runs body(rank) on `size` ranks at once.
inline void run_ranks(const config::TrainJob& job, int size, const std::function<void(int, Rank&)>& body,
                      const std::string& backend = "auto") {
  if (size == 1) {
    Rank alone(job, Ranks());
    return body(0, alone);
  }
  const auto store = rendezvous::Server::start({}).value();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      at::set_num_threads(1);
      Rank one(job, test::join_ranks(*store, rank, size, job.parallel, {.backend = backend}));
      body(rank, one);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

/// How ranks of a test train.
struct Way {
  bool is_offloaded = false;
  std::string backend = "auto";
};

inline Trained trained(const config::TrainJob& job, int size, uint64_t steps, const Way& way = {}) {
  std::vector<Trained> all(static_cast<size_t>(size));
  std::mutex mutex;
  Tensors whole;
  const auto train = [&](int rank, Rank& one) {
    if (way.is_offloaded) one.offload();
    one.train(steps, all[static_cast<size_t>(rank)]);
    const double loss = one.validate();
    if (rank == 0) all[0].losses.push_back(loss);
    const std::lock_guard lock(mutex);
    collect(one.state_pieces(), whole);
  };
  run_ranks(job, size, train, way.backend);
  all[0].state = whole;
  return all[0];
}

inline void expect_same(const Trained& found, const Trained& wanted) {
  EXPECT_EQ(found.losses, wanted.losses);
  EXPECT_EQ(found.norms, wanted.norms);
  ASSERT_EQ(found.state.size(), wanted.state.size());
  for (const auto& [name, value] : wanted.state) EXPECT_TRUE(at::equal(found.state.at(name), value)) << name;
}

}  // namespace zt::test::ranks
