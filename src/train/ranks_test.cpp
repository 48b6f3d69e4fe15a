// SPDX-License-Identifier: Apache-2.0
// Ranks that train together make the steps of one process, bit for bit: here each rank is a thread with
// networks of its own, and they meet through a real store and real shared memory.
#include "train/ranks.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "checkpoint/reader.hpp"
#include "checkpoint/saver.hpp"
#include "dist/group.hpp"
#include "optim/ema.hpp"
#include "rendezvous/client.hpp"
#include "rendezvous/server.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_networks.hpp"
#include "train/run_rules.hpp"
#include "train/stepper.hpp"

namespace zt::train {
namespace {

using namespace std::chrono_literals;

config::TrainJob job_of(int64_t stage, int64_t zero_stage) {
  config::TrainJob job = test::tiny_job(stage);
  job.lanes = 4;
  job.data.train_bs = 1;
  job.parallel = {.zero_stage = zero_stage, .timeout_s = 20};
  job.optimizer.ema_decay = 0.9;
  job.optimizer.use_8bit_adam = true;
  job.condition.uncond_ratio = 0.5;  // lanes without reference leave ReferenceNet untouched
  return job;
}

/// What a run's training came to.
struct Trained {
  std::vector<double> losses, norms;
  std::string values, averages;  ///< digests
};

Ranks join(const rendezvous::Server& store, int rank, int size, const config::ParallelJob& job) {
  const clock::Deadline deadline = clock::in(20s);
  const auto connect = [&](std::string member) {
    rendezvous::ClientOptions options;
    options.host = "127.0.0.1";
    options.port = store.port();
    options.generation = 1;
    options.member = std::move(member);
    return rendezvous::Client::connect(options, deadline).value();
  };
  dist::GroupOptions group;
  group.store = connect(std::to_string(rank));
  group.rank = group.world_rank = rank;
  group.size = size;
  return Ranks(dist::form_group(group, deadline).value(), connect(""), job);
}

class Rank {
 public:
  Rank(const config::TrainJob& train_job, Ranks all)
      : job(train_job),
        ranks(std::move(all)),
        schedule(diffusion::NoiseSchedule::make(diffusion::noise_schedule_config(job.schedule)).value()),
        state(make_model_state(test::tiny_networks(job, ranks.shard().count), job, ranks.shard())),
        stepper(state, ranks, schedule, forward_rules(job, *state.networks.store),
                {.max_grad_norm = 1, .num_lanes = job.lanes}) {}

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
    out.values = state.networks.store->digest();
    const optim::EmaScope averages(state.ema.get(),
                                   [&] { EXPECT_TRUE(ranks.gather_values(*state.networks.store)); });
    out.averages = state.networks.store->digest();
  }
  int64_t sent() const { return ranks.traffic().total().elements_sent; }
  int64_t num_trainable() const { return state.networks.store->num_trainable(); }
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
    saver.save_in_place(snapshot_of(state, cursor, ranks.is_first()));
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
      all.push_back({assemble(samples, roll_samples(samples, rules), rules)});
    }
    return all;
  }

  config::TrainJob job;
  Ranks ranks;
  diffusion::NoiseSchedule schedule;
  ModelState state;
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
      Rank one(job, join(*store, rank, size, job.parallel));
      body(rank, one);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

Trained train(const config::TrainJob& job, int size, uint64_t steps) {
  std::vector<Trained> all(static_cast<size_t>(size));
  run_ranks(job, size, [&](int rank, Rank& one) { one.train(steps, all[static_cast<size_t>(rank)]); });
  for (const Trained& other : all) {
    EXPECT_EQ(other.losses, all[0].losses);
    EXPECT_EQ(other.values, all[0].values);
    EXPECT_EQ(other.averages, all[0].averages);
  }
  return all[0];
}

void expect_same(const Trained& found, const Trained& wanted) {
  EXPECT_EQ(found.losses, wanted.losses);
  EXPECT_EQ(found.norms, wanted.norms);
  EXPECT_EQ(found.values, wanted.values);
  EXPECT_EQ(found.averages, wanted.averages);
}

using Case = std::tuple<int64_t, int64_t, int>;  ///< stage, ZeRO stage, ranks
class SameBits : public ::testing::TestWithParam<Case> {};

TEST_P(SameBits, AsOneProcess) {
  const auto [stage, zero_stage, ranks] = GetParam();
  const config::TrainJob job = job_of(stage, zero_stage);
  expect_same(train(job, ranks, 3), train(job, 1, 3));
}

INSTANTIATE_TEST_SUITE_P(OfRanks, SameBits,
                         ::testing::Values(Case{1, 0, 2}, Case{1, 1, 2}, Case{1, 1, 4}, Case{2, 0, 4},
                                           Case{2, 1, 2}));

// Both ways of sharing send 2 (N - 1) / N elements per parameter and step; the losses and norms that go with
// them are small.
TEST(Traffic, IsTwoExchangesOfEveryParameter) {
  for (const int64_t zero_stage : {0, 1}) {
    config::TrainJob job = job_of(1, zero_stage);
    job.condition.uncond_ratio = 0;
    run_ranks(job, 4, [&](int, Rank& one) {
      const int64_t before = one.sent();
      one.step();
      const double parameters = static_cast<double>(one.num_trainable());
      const double sent = static_cast<double>(one.sent() - before) / parameters;
      EXPECT_GE(sent, 2 * 0.75) << "ZeRO stage " << zero_stage;
      EXPECT_LE(sent, 2 * 0.75 * 1.1)
          << "ZeRO stage " << zero_stage;  // padding to 256 x 4 elements, losses, norms
    });
  }
}

TEST(SameBits, WithAnUnevenNumberOfRanksUpToRounding) {
  const config::TrainJob job = job_of(1, 1);
  const Trained three = train(job, 3, 3), one = train(job, 1, 3);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(three.losses[i], one.losses[i], 1e-5 * one.losses[i]);
}

// Three steps on four ranks, saved; three more on two, saved; three more alone.
TEST(SameBits, AcrossCheckpointsReadByOtherNumbersOfRanks) {
  const config::TrainJob job = job_of(1, 1);
  const test::TempFolder folder;
  Trained found;
  for (const int size : {4, 2, 3, 1}) {
    run_ranks(job, size, [&](int rank, Rank& one) {
      if (size < 4) one.resume(checkpoint::open_newest(folder.path())->reader);
      Trained piece;
      if (size != 3) one.train(3, piece);  // three ranks only hand it on: their sums are another tree
      one.save(folder.path());
      if (rank != 0 || size == 3) return;
      found.losses.insert(found.losses.end(), piece.losses.begin(), piece.losses.end());
      found.norms.insert(found.norms.end(), piece.norms.begin(), piece.norms.end());
      found.values = piece.values;
      found.averages = piece.averages;
    });
  }
  expect_same(found, train(job, 1, 9));
}

}  // namespace
}  // namespace zt::train
