// SPDX-License-Identifier: Apache-2.0
#include "train/plan/budget.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "train/plan/testing.hpp"

namespace zt::train {
namespace {

using test::published;

uint64_t bytes_of(const std::vector<resources::Demand>& demands, const std::string& start) {
  const auto found = std::find_if(demands.begin(), demands.end(), [&](const resources::Demand& demand) {
    return demand.what.starts_with(start);
  });
  return found == demands.end() ? 0 : found->bytes;
}

TEST(Budget, CountsWhatTheReferenceTrains) {
  config::TrainJob job;
  // Moore-AnimateAnyone: what train_stage_1.py leaves with requires_grad, and what train_stage_2.py prints.
  EXPECT_EQ(state_costs(job, models::declare_networks(published(1))).trained, 1'701'305'684);
  job.stage = 2;
  EXPECT_EQ(state_costs(job, models::declare_networks(published(2))).trained, 453'209'280);
}

TEST(Budget, TrainingStateOfStageOneIsTheArithmeticPeopleRunInto) {
  const config::TrainJob job;
  const auto demands = memory_demands(job, published(1), 8);
  // 4 bytes each of weights, gradients and two moments: 27.2 GB.
  EXPECT_EQ(bytes_of(demands, "trained weights"), 4 * 1'701'305'684ULL);
  EXPECT_EQ(bytes_of(demands, "gradients"), 4 * 1'701'305'684ULL);
  EXPECT_EQ(bytes_of(demands, "optimizer state"), 8 * 1'701'305'684ULL);
  EXPECT_EQ(bytes_of(demands, "averaged weights"), 0U);
}

TEST(Budget, SamplesAheadAreThoseOfAllLanesOfARank) {
  config::TrainJob job;
  job.data.width = job.data.height = 64;
  job.data.train_bs = 3;
  job.lanes = 3;
  job.data.prefetch_batches = 2;
  constexpr uint64_t kSample = 3 * 64 * 64 + 8 * 4 * (8 * 8 + 1);  // poses; mean and variance of 4 channels
  const ModelCosts costs = model_costs(job, published(1), 8);
  EXPECT_EQ(rank_memory(job, costs, 1).ahead, 2 * 9 * kSample);
  EXPECT_EQ(rank_memory(job, costs, 2).ahead, 2 * 6 * kSample);
  EXPECT_EQ(rank_memory(job, costs, 3).ahead, 2 * 3 * kSample);
  EXPECT_EQ(
      bytes_of(memory_demands(job, published(1), 8, {.ranks = 2, .on_this_host = 2}), "samples made ahead"),
      2 * 2 * 6 * kSample);
  const RankMemory on_gpu = rank_memory(job, costs, 2, Place::Gpu);
  EXPECT_EQ(on_gpu.ahead, 0);
  EXPECT_EQ(bytes_of(host_demands(on_gpu.host, /*ranks=*/2), "samples made ahead"), 2 * 2 * 6 * kSample);
  job.data.prefetch_batches = 1024;
  job.data.decode_memory_mib = 16;  // as far as it goes
  EXPECT_EQ(rank_memory(job, costs, 1).ahead, (16ULL << 20) / kSample * kSample);
}

TEST(Budget, RanksShareOptimizerStateUnlessAskedNotTo) {
  config::TrainJob job;
  job.lanes = 4;
  const auto shared = memory_demands(job, published(1), 8, {.ranks = 4, .on_this_host = 4});
  EXPECT_EQ(bytes_of(shared, "trained weights"), 4 * 4 * 1'701'305'684ULL);
  EXPECT_EQ(bytes_of(shared, "gradients"), 4 * 4 * 1'701'305'684ULL);
  EXPECT_EQ(bytes_of(shared, "optimizer state"), 8 * 1'701'305'684ULL);
  job.parallel.zero_stage = 0;
  EXPECT_EQ(bytes_of(memory_demands(job, published(1), 8, {4, 4}), "optimizer state"),
            4 * 8 * 1'701'305'684ULL);
}

TEST(Budget, AHostHoldsItsOwnRanksOnly) {
  config::TrainJob job;
  job.lanes = 4;
  const auto demands = memory_demands(job, published(1), 8, {.ranks = 4, .on_this_host = 2});
  EXPECT_EQ(bytes_of(demands, "trained weights"), 2 * 4 * 1'701'305'684ULL);
  EXPECT_EQ(bytes_of(demands, "optimizer state"), 8 / 2 * 1'701'305'684ULL);
  const params::ParamTable table = models::declare_networks(published(1));
  EXPECT_NEAR(static_cast<double>(snapshot_demand(job, table, {4, 2}).bytes),
              static_cast<double>(snapshot_demand(job, table, {4, 4}).bytes) / 2, 4);
}

TEST(Budget, EightBitStateIsAboutAQuarter) {
  config::TrainJob job;
  const uint64_t full = bytes_of(memory_demands(job, published(1), 8), "optimizer state");
  job.optimizer.use_8bit_adam = true;
  const uint64_t quarter = bytes_of(memory_demands(job, published(1), 8), "optimizer state");
  EXPECT_NEAR(static_cast<double>(quarter) / static_cast<double>(full), 0.254, 0.001);
}

TEST(Budget, OffloadedStateIsAskedOfTheHostForEveryRankOnIt) {
  config::TrainJob job;
  job.lanes = 4;
  job.optimizer.offload = config::Offload::Cpu;
  EXPECT_EQ(bytes_of(gpu_demands(job, published(1), 8, /*ranks=*/4), "optimizer state"), 0U);
  const ModelCosts costs = state_costs(job, models::declare_networks(published(1)));
  const auto demands = host_demands(rank_memory(job, costs, 4, Place::Gpu).host, /*ranks=*/2);
  EXPECT_EQ(bytes_of(demands, "optimizer state"), 2 * 2 * 1'701'305'684ULL);
  EXPECT_EQ(bytes_of(demands, "buffers"), (2 * 32ULL) << 20);
  job.optimizer.offload = config::Offload::None;
  EXPECT_EQ(bytes_of(gpu_demands(job, published(1), 8, 4), "optimizer state"), 2 * 1'701'305'684ULL);
  EXPECT_TRUE(host_demands(rank_memory(job, costs, 4, Place::Gpu).host, 2).empty());
}

TEST(Budget, SnapshotsAreTwiceWhatTrainsAndOfEveryRankWhereNothingIsShared) {
  config::TrainJob job;
  const auto table = models::declare_networks(published(1));
  // Weights and two moments, 4 bytes each, twice.
  EXPECT_EQ(snapshot_demand(job, table, {4, 4}).bytes, 2 * 12 * 1'701'305'684ULL);
  job.optimizer.ema_decay = 0.99;
  EXPECT_EQ(snapshot_demand(job, table, {4, 4}).bytes, 2 * 16 * 1'701'305'684ULL);
  job.parallel.zero_stage = 0;
  EXPECT_EQ(snapshot_demand(job, table, {4, 4}).bytes, 4 * 2 * 16 * 1'701'305'684ULL);
}

// The widest levels of a UNet at 512 pixels work at 8 x 8 positions, the first at 64 x 64.
TEST(Budget, UnitsKeptWholeByTheirSpeedTakeWhatTheyNoLongerShare) {
  config::TrainJob job;
  job.parallel.zero_stage = 3;
  job.data.train_bs = 1;
  const auto configs = published(1);
  const auto kept = [&](double fewest, int64_t ranks_here) {
    return kept_whole_demand(job, configs, /*scale_factor=*/8, fewest, /*ranks=*/4, ranks_here).bytes;
  };
  constexpr double all = 4.0 * (1'701'305'684 + 18'810'560);

  EXPECT_EQ(kept(1, 4), 0);
  EXPECT_NEAR(static_cast<double>(kept(1e9, 1)), 0.75 * all, 0.01 * all);
  EXPECT_GT(kept(65, 1), kept(64, 1)) << "the 64 positions of the lowest level";
  EXPECT_EQ(kept(65, 4), 4 * kept(65, 1));
  job.parallel.zero_stage = 1;
  EXPECT_EQ(kept(1e9, 1), 0);
}

TEST(Budget, NeighboursHoldAsMuchAgain) {
  config::TrainJob job;
  const auto table = models::declare_networks(published(1));
  EXPECT_EQ(held_demand(job, table, {4, 4}).bytes, 2 * 12 * 1'701'305'684ULL);
}

TEST(Budget, DiskHoldsEveryKeptCheckpointAndOneInTheMakingAndTheFrozenWeightsOnce) {
  config::TrainJob job;
  job.checkpoint.keep_last = 2;
  job.checkpoint.keep_best = 1;
  const auto table = models::declare_networks(published(1));
  const auto demands = disk_demands(job, table);
  constexpr uint64_t kOne = 12 * 1'701'305'684ULL, kFrozen = 4 * 18'810'560ULL;  // ReferenceNet's up_blocks.3
  EXPECT_EQ(demands[0].bytes, 4 * kOne + kFrozen);
  // A run that goes on has some of it already.
  EXPECT_EQ(disk_demands(job, table, {0, 2 * kOne + kFrozen})[0].bytes, 2 * kOne);
  EXPECT_EQ(disk_demands(job, table, {0, 9 * kOne})[0].bytes, 0);
  EXPECT_EQ(first_checkpoint_demand(job, table).bytes, kOne + kFrozen);
}

TEST(Budget, KeepingAllWantsDiskForAsManyCheckpointsAsTheStepsMake) {
  config::TrainJob job;
  job.checkpoint.keep_last = 1'000'000'000;
  job.max_train_steps = 1000;
  job.checkpoint.every_steps = 300;
  const auto table = models::declare_networks(published(1));
  const auto kept = [&](int64_t num_clips) {
    return disk_demands(job, table, {num_clips, 0})[0].bytes / (12 * 1'701'305'684ULL);
  };
  EXPECT_EQ(kept(0), 5) << "300, 600, 900, 1000 and one in the making";
  job.checkpoint.every_epochs = 1;
  job.checkpoint.keep_epochs = 1'000'000'000;
  job.data.train_bs = 2;
  EXPECT_EQ(kept(500), 9) << "and four passes of 250 steps";
  EXPECT_EQ(kept(0), 1005);
}

}  // namespace
}  // namespace zt::train
