// SPDX-License-Identifier: Apache-2.0
// Ranks that train together make the steps of one process, bit for bit: here each rank is a thread with
// networks of its own, and they meet through a real store and real shared memory.
#include "train/ranks.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "checkpoint/reader.hpp"
#include "checkpoint/saver.hpp"
#include "optim/ema.hpp"
#include "rendezvous/server.hpp"
#include "support/join_ranks.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_networks.hpp"
#include "train/run_rules.hpp"
#include "train/stepper.hpp"
#include "train/unit_policy.hpp"

namespace zt::train {
namespace {

using namespace std::chrono_literals;

config::TrainJob job_of(int64_t stage, int64_t zero_stage) {
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
void collect(const std::vector<params::StateTensor>& pieces, Tensors& whole) {
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
            test::tiny_networks(job, ranks.shard(),
                                residency_rule(job, ranks, {.levels = 2, .scale_factor = 4})),
            job)),
        are_shared((ranks.share_units(*state.networks.store), true)),
        stepper(state, ranks, schedule, forward_rules(job, *state.networks.store),
                {.max_grad_norm = 1, .num_lanes = job.lanes}) {}
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
  StepReport step() {
    const auto lanes = static_cast<uint64_t>(job.lanes);
    return stepper.step(batches(next_++ * lanes), 1e-3).value();
  }
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
    saver.save_in_place(snapshot_of(state, cursor, ranks.saves()));
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
    StepBatches all;
    for (int64_t lane = lanes.begin; lane < lanes.end; ++lane) {
      const auto samples = test::noise_samples(job, first + static_cast<uint64_t>(lane), 1);
      const Batch batch = assemble(samples, roll_samples(samples, rules), rules);
      all.emplace_back(static_cast<size_t>(job.optimizer.gradient_accumulation_steps), batch);
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
void run_ranks(const config::TrainJob& job, int size, const std::function<void(int, Rank&)>& body) {
  if (size == 1) {
    Rank alone(job, Ranks());
    return body(0, alone);
  }
  const auto store = rendezvous::Server::start({}).value();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      at::set_num_threads(1);
      Rank one(job, test::join_ranks(*store, rank, size, job.parallel));
      body(rank, one);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

Trained train(const config::TrainJob& job, int size, uint64_t steps, bool is_offloaded = false) {
  std::vector<Trained> all(static_cast<size_t>(size));
  std::mutex mutex;
  Tensors whole;
  run_ranks(job, size, [&](int rank, Rank& one) {
    if (is_offloaded) one.offload();
    one.train(steps, all[static_cast<size_t>(rank)]);
    const double loss = one.validate();
    if (rank == 0) all[0].losses.push_back(loss);
    const std::lock_guard lock(mutex);
    collect(one.state_pieces(), whole);
  });
  all[0].state = whole;
  return all[0];
}

void expect_same(const Trained& found, const Trained& wanted) {
  EXPECT_EQ(found.losses, wanted.losses);
  EXPECT_EQ(found.norms, wanted.norms);
  ASSERT_EQ(found.state.size(), wanted.state.size());
  for (const auto& [name, value] : wanted.state) EXPECT_TRUE(at::equal(found.state.at(name), value)) << name;
}

using Case = std::tuple<int64_t, int64_t, int>;  ///< stage, ZeRO stage, ranks
class SameBits : public ::testing::TestWithParam<Case> {};

TEST_P(SameBits, AsOneProcess) {
  const auto [stage, zero_stage, ranks] = GetParam();
  const config::TrainJob job = job_of(stage, zero_stage);
  expect_same(train(job, ranks, 3), train(job, 1, 3));
}

INSTANTIATE_TEST_SUITE_P(OfRanks, SameBits,
                         ::testing::Values(Case{1, 0, 2}, Case{1, 1, 2}, Case{1, 1, 4}, Case{1, 2, 4},
                                           Case{1, 3, 2}, Case{1, 3, 4}, Case{2, 0, 4}, Case{2, 1, 2},
                                           Case{2, 2, 2}, Case{2, 3, 4}));

// Recomputed units gather their weights a second time inside autograd; frozen ones in front of the first that
// trains see no backward pass.
TEST(SameBits, WhenActivationsAreRecomputed) {
  for (const int64_t stage : {1, 2}) {
    config::TrainJob job = job_of(stage, 3);
    job.freeze = {"reference_unet.conv_in", "reference_unet.down_blocks.0"};
    const Trained kept = train(job, 1, 2);
    job.gradient_checkpointing = true;
    expect_same(train(job, 4, 2), kept);
  }
}

// Two copies of the state on two ranks each.
TEST(SameBits, WithCopiesOfShards) {
  for (const int64_t zero_stage : {1, 2, 3}) {
    config::TrainJob job = job_of(1, zero_stage);
    job.parallel.shard_ranks = 2;
    expect_same(train(job, 4, 2), train(job, 1, 2));
  }
}

TEST(SameBits, WithOffloadedState) {
  for (const int64_t zero_stage : {1, 2, 3}) {
    config::TrainJob job = job_of(1, zero_stage);
    job.parallel.shard_ranks = zero_stage == 1 ? 2 : 0;
    expect_same(train(job, 4, 2, /*is_offloaded=*/true), train(job, 1, 2));
  }
}

// ZeRO-3 with some units as in ZeRO-2.
TEST(SameBits, WithUnitsThatAreKeptWhole) {
  config::TrainJob job = job_of(2, 3);
  job.parallel.keep_whole = {"mid_block", "down_blocks.1"};
  expect_same(train(job, 4, 2), train(job, 1, 2));
}

TEST(SameBits, InBf16WithAccumulation) {
  config::TrainJob job = job_of(1, 3);
  job.precision.mixed_precision = config::MixedPrecision::Bf16;
  job.optimizer.gradient_accumulation_steps = 2;
  expect_same(train(job, 4, 2), train(job, 1, 2));
}

TEST(SameBits, WithBf16Weights) {
  for (const auto kept : {config::TrainedWeights::Bf16, config::TrainedWeights::Bf16Stochastic}) {
    config::TrainJob job = job_of(1, 3);
    job.precision.mixed_precision = config::MixedPrecision::Bf16;
    job.precision.trained_weights = kept;
    expect_same(train(job, 4, 2), train(job, 1, 2));
  }
}

struct Leg {
  int ranks = 1;
  int64_t zero_stage = 0;
  int64_t shard_ranks = 0;
};

/// stage, ZeRO stage, micro batches, ranks, bf16
using Cell = std::tuple<int64_t, int64_t, int64_t, int, bool>;
class Matrix : public ::testing::TestWithParam<Cell> {
 protected:
  static config::TrainJob job_of_cell(int64_t zero_stage) {
    const auto [stage, any_zero_stage, micro_batches, ranks, is_short] = GetParam();
    config::TrainJob job = job_of(stage, zero_stage);
    job.optimizer.gradient_accumulation_steps = micro_batches;
    if (is_short) job.precision.mixed_precision = config::MixedPrecision::Bf16;
    return job;
  }
  /// One process, four steps. The same for all ZeRO stages and numbers of ranks.
  static const Trained& alone() {
    const auto [stage, zero_stage, micro_batches, ranks, is_short] = GetParam();
    static std::map<std::tuple<int64_t, int64_t, bool>, Trained> known;
    const auto [found, is_new] = known.try_emplace({stage, micro_batches, is_short});
    if (is_new) {
      run_ranks(job_of_cell(0), 1, [&](int, Rank& one) {
        one.train(4, found->second);
        collect(one.state_pieces(), found->second.state);
      });
    }
    return found->second;
  }
};

// Two steps, saved; then another number of ranks with another ZeRO stage goes on from there.
TEST_P(Matrix, SlowHasTheBitsOfOneProcess) {
  const auto [stage, zero_stage, micro_batches, ranks, is_short] = GetParam();
  const test::TempFolder folder;
  Trained found;
  for (const Leg leg : {Leg{ranks, zero_stage}, Leg{ranks == 4 ? 2 : 4, 3 - zero_stage}}) {
    const bool goes_on = leg.ranks != ranks;
    std::mutex mutex;
    run_ranks(job_of_cell(leg.zero_stage), leg.ranks, [&](int rank, Rank& one) {
      if (goes_on) one.resume(checkpoint::open_newest(folder.path())->reader);
      Trained piece;
      one.train(2, piece);
      one.save(folder.path());
      const std::lock_guard lock(mutex);
      if (goes_on) collect(one.state_pieces(), found.state);
      if (rank != 0) return;
      found.losses.insert(found.losses.end(), piece.losses.begin(), piece.losses.end());
      found.norms.insert(found.norms.end(), piece.norms.begin(), piece.norms.end());
    });
  }
  expect_same(found, alone());
}

INSTANTIATE_TEST_SUITE_P(Cells, Matrix,
                         ::testing::Combine(::testing::Values(1, 2), ::testing::Range<int64_t>(0, 4),
                                            ::testing::Values(1, 2), ::testing::Values(1, 2, 4),
                                            ::testing::Bool()));

// Both ways of sharing send 2 (N - 1) / N elements per parameter and step; the losses and norms that go with
// them are small.
TEST(Traffic, IsTwoExchangesOfEveryParameter) {
  for (const int64_t zero_stage : {0, 1, 2}) {
    config::TrainJob job = job_of(1, zero_stage);
    job.condition.uncond_ratio = 0;
    run_ranks(job, 4, [&](int, Rank& one) {
      const int64_t before = one.sent();
      one.step();
      const double parameters = static_cast<double>(one.num_trainable());
      const double sent = static_cast<double>(one.sent() - before) / parameters;
      EXPECT_GE(sent, 2 * 0.75) << "ZeRO stage " << zero_stage;
      // Padding to 256 x 4 elements, losses, norms; stage 2: what lies behind ReferenceNet's last norm1 too.
      EXPECT_LE(sent, 2 * 0.75 * 1.12) << "ZeRO stage " << zero_stage;
    });
  }
}

// ZeRO-3 gathers every weight twice and sums its gradient once; the units that end the forward pass are still
// there when the backward pass begins.
TEST(Traffic, IsThreeExchangesWhereWeightsAreSharedToo) {
  config::TrainJob job = job_of(1, 3);
  job.condition.uncond_ratio = 0;
  run_ranks(job, 4, [&](int, Rank& one) {
    one.step();  // the first compares plans
    const int64_t before = one.sent();
    one.step();
    const double sent = static_cast<double>(one.sent() - before) / static_cast<double>(one.num_trainable());
    EXPECT_GE(sent, 2.5 * 0.75);
    EXPECT_LE(sent, 3 * 0.75 * 1.12);
  });
}

// Passes added up in parts: sums in another order, so equal up to rounding; three ranks have two, one and one
// lanes, four are two copies of two.
TEST(Accumulation, InPartsIsThatOfOneProcessUpToRounding) {
  for (const auto& [zero_stage, ranks, micro_batches] :
       {std::tuple(2, 2, 1), std::tuple(2, 3, 2), std::tuple(3, 2, 2), std::tuple(3, 3, 1),
        std::tuple(2, 4, 2)}) {
    config::TrainJob job = job_of(1, zero_stage);
    job.optimizer.use_8bit_adam = false;  // codes of 8 bits may be one apart
    job.optimizer.gradient_accumulation_steps = micro_batches;
    const Trained alone = train(job, 1, 3);
    job.parallel.accumulation = config::Accumulation::Parts;
    job.parallel.shard_ranks = ranks == 4 ? 2 : 0;
    const Trained found = train(job, ranks, 3);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(found.losses[i], alone.losses[i], 1e-6 * alone.losses[i]) << zero_stage << ' ' << ranks;
      EXPECT_NEAR(found.norms[i], alone.norms[i], 1e-5 * alone.norms[i]) << zero_stage << ' ' << ranks;
    }
    expect_same(train(job, ranks, 3), found);
  }
}

TEST(Accumulation, InPartsKeepsNoWholeGradients) {
  config::TrainJob job = job_of(1, 2);
  job.condition.uncond_ratio = 0;
  job.parallel.accumulation = config::Accumulation::Parts;
  run_ranks(job, 2, [&](int, Rank& one) {
    one.step();  // the first compares plans
    const int64_t before = one.sent();
    one.step();
    const double sent = static_cast<double>(one.sent() - before) / static_cast<double>(one.num_trainable());
    EXPECT_GE(sent, (2 + 1) * 0.5) << "two lanes' gradients, and the weights";
    EXPECT_LE(sent, (2 + 1) * 0.5 * 1.12);
    for (const params::Segment& segment : one.segments())
      EXPECT_FALSE(segment.placement.trainable && segment.keeps_gradients) << segment.unit;
  });
}

TEST(SameBits, WithAnUnevenNumberOfRanksUpToRounding) {
  const config::TrainJob job = job_of(1, 3);  // ranks with one lane bring their shards for the other's second
  const Trained three = train(job, 3, 3), one = train(job, 1, 3);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(three.losses[i], one.losses[i], 1e-5 * one.losses[i]);
}

TEST(SameBits, OfBf16WeightsAcrossACheckpoint) {
  const test::TempFolder folder;
  config::TrainJob job = job_of(1, 1);
  job.precision.mixed_precision = config::MixedPrecision::Bf16;
  job.precision.trained_weights = config::TrainedWeights::Bf16;
  Trained found;
  for (const int ranks : {2, 1}) {
    run_ranks(job, ranks, [&](int rank, Rank& one) {
      if (ranks == 1) one.resume(checkpoint::open_newest(folder.path())->reader);
      Trained piece;
      one.train(2, piece);
      one.save(folder.path());
      if (rank != 0) return;
      found.losses.insert(found.losses.end(), piece.losses.begin(), piece.losses.end());
      if (ranks == 1) collect(one.state_pieces(), found.state);
    });
  }
  const Trained wanted = train(job, 1, 4);
  for (size_t step = 0; step < 4; ++step) EXPECT_EQ(found.losses[step], wanted.losses[step]) << step;
  for (const auto& [name, tensor] : wanted.state)
    EXPECT_TRUE(at::equal(found.state.at(name), tensor)) << name;
}

// Three steps on four ranks (two copies of two shards), saved; three more on two, saved; three ranks hand it
// on (their sums are another tree); three more steps alone. Frozen weights, which ranks share with stage 3,
// are handed on as well.
TEST(SameBits, AcrossCheckpointsReadByOtherNumbersOfRanks) {
  for (const int64_t stage : {1, 2}) {
    const test::TempFolder folder;
    Trained found;
    for (const Leg leg : {Leg{4, 3, 2}, Leg{2, 2}, Leg{3, 3}, Leg{1, 1}}) {
      Tensors whole;
      std::mutex mutex;
      config::TrainJob job = job_of(stage, leg.zero_stage);
      job.parallel.shard_ranks = leg.shard_ranks;
      run_ranks(job, leg.ranks, [&](int rank, Rank& one) {
        if (leg.ranks < 4) one.resume(checkpoint::open_newest(folder.path())->reader);
        Trained piece;
        if (leg.ranks != 3) one.train(3, piece);
        one.save(folder.path());
        const std::lock_guard lock(mutex);
        collect(one.state_pieces(), whole);
        if (rank != 0) return;
        found.losses.insert(found.losses.end(), piece.losses.begin(), piece.losses.end());
        found.norms.insert(found.norms.end(), piece.norms.begin(), piece.norms.end());
      });
      found.state = whole;
    }
    Trained wanted = train(job_of(stage, 1), 1, 9);
    wanted.losses.pop_back();  // the validation's
    expect_same(found, wanted);
  }
}

TEST(Ranks, CountThoseOfTheirHost) {
  EXPECT_EQ(Ranks().on_this_host(), 1);
  const auto store = rendezvous::Server::start({}).value();
  const config::ParallelJob job = job_of(1, 1).parallel;
  std::thread other([&] { EXPECT_EQ(test::join_ranks(*store, 0, 2, job).on_this_host(), 2); });
  EXPECT_EQ(test::join_ranks(*store, 1, 2, job).on_this_host(), 2);
  other.join();
}

TEST(Ranks, WaitForAFirstOneThatWorksForLongerThanAWaitMayTake) {
  const auto store = rendezvous::Server::start({}).value();
  config::ParallelJob job = job_of(1, 1).parallel;
  job.timeout_s = 1;
  Status waited;
  std::thread second([&] { waited = test::join_ranks(*store, 1, 2, job).await_first(); });

  Ranks first = test::join_ranks(*store, 0, 2, job);
  Status kept;
  for (const clock::Stopwatch watch; kept && watch.seconds() < 1.3; std::this_thread::yield())
    kept = first.keep_waiting();
  const Status there = first.await_first();
  second.join();

  for (const Status& status : {kept, there, waited}) EXPECT_TRUE(status) << status.error().text();
}

}  // namespace
}  // namespace zt::train
