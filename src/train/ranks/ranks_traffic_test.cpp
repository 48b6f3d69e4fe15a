// SPDX-License-Identifier: Apache-2.0
// What ranks send each other in a step, by the groups' counters.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <tuple>
#include <vector>

#include "nn/tail_group.hpp"
#include "support/training_ranks.hpp"
#include "train/plan/plan.hpp"

namespace zt::train {
namespace {

using namespace test::ranks;

/// Of the segments that pass, with their padding.
int64_t stored_elements(const Rank& rank, const std::function<bool(const params::Segment&)>& counts) {
  int64_t total = 0;
  for (const params::Segment& segment : rank.segments())
    if (counts(segment)) total += segment.values_P.numel();
  return total;
}

bool trains(const params::Segment& segment) { return segment.placement.trainable; }
/// Without what lies behind ReferenceNet's last norm1, which trains by name and is never used.
bool is_touched(const params::Segment& segment) {
  return trains(segment) && !segment.group.ends_with(nn::kTailGroup);
}

/// Elements sent in the second step; the first compares plans.
int64_t sent_in_a_step(Rank& rank) {
  rank.step();
  const int64_t before = rank.sent();
  rank.step();
  return rank.sent() - before;
}

/// At most what ranks tell each other beside weights and gradients: norms of 256 elements each, losses.
int64_t beside(int64_t stored) { return 6 * (stored / 256) + 2000; }

// Both ways of sharing send 2 (N - 1) / N elements per parameter and step.
TEST(Traffic, IsTwoExchangesOfEveryParameter) {
  for (const int64_t zero_stage : {0, 1, 2}) {
    config::TrainJob job = job_of(1, zero_stage);
    job.condition.uncond_ratio = 0;
    run_ranks(job, 4, [&](int, Rank& one) {
      const int64_t stored = stored_elements(one, zero_stage == 2 ? trains : is_touched);
      const int64_t sent = sent_in_a_step(one), wanted = 2 * 3 * stored / 4;
      EXPECT_GE(sent, wanted) << "ZeRO stage " << zero_stage;
      EXPECT_LE(sent, wanted + beside(stored)) << "ZeRO stage " << zero_stage;
    });
  }
}

// ZeRO-3 gathers every weight twice and sums its gradient once; the units that end the forward pass are still
// there when the backward pass begins, and what lies behind ReferenceNet's last norm1 is never used.
TEST(Traffic, IsThreeExchangesWhereWeightsAreSharedToo) {
  config::TrainJob job = job_of(1, 3);
  job.condition.uncond_ratio = 0;
  run_ranks(job, 4, [&](int, Rank& one) {
    const int64_t stored = stored_elements(one, trains), sent = sent_in_a_step(one), each = 3 * stored / 4;
    EXPECT_GE(static_cast<double>(sent), 2.5 * static_cast<double>(each));
    EXPECT_LE(sent, 3 * each + beside(stored));
  });
}

/// What changes how much is sent.
struct Sending {
  int64_t stage = 1, zero_stage = 1;
  bool in_parts = false;
  int64_t micro_batches = 1, lanes = 4, shard_ranks = 0;
  std::vector<std::string> units = {};
};

ModelCosts costs_of(const config::TrainJob& job) {
  const auto configs = models::network_configs(job.model, test::kTinyChannels, job.stage == 2).value();
  return model_costs(job, configs, int64_t{1} << (job.model.pose_guider.block_out_channels.size() - 1));
}

/// What segments have more than the plan knows of: they are cut on borders of 256 elements a rank.
int64_t padding(const Rank& rank, const ModelCosts& costs) {
  int64_t planned = 0;
  for (const UnitCost& unit : costs.units) planned += unit.trained + unit.frozen;
  return stored_elements(rank, [](const params::Segment&) { return true; }) - planned;
}

class SentElements : public testing::TestWithParam<Sending> {};

TEST_P(SentElements, IsThatOfThePlan) {
  const Sending& sending = GetParam();
  config::TrainJob job = job_of(sending.stage, sending.zero_stage);
  job.lanes = sending.lanes;
  job.condition.uncond_ratio = 0;
  job.optimizer.gradient_accumulation_steps = sending.micro_batches;
  if (sending.in_parts) job.parallel.accumulation = config::Accumulation::Parts;
  job.parallel.shard_ranks = sending.shard_ranks;
  job.parallel.units = sending.units;
  const ModelCosts costs = costs_of(job);
  const double planned = step_traffic(job, costs, 4).elements;
  const int64_t most_exchanges = 3 * sending.micro_batches * sending.lanes / 4;
  run_ranks(job, 4, [&](int rank, Rank& one) {
    const auto sent = static_cast<double>(sent_in_a_step(one));
    const auto more = static_cast<double>(beside(stored_elements(one, trains)) +
                                          most_exchanges * padding(one, costs) * 3 / 4);
    if (rank == 0) std::printf("planned %.0f, sent %.0f, beside it at most %.0f\n", planned, sent, more);
    EXPECT_GE(sent, planned);
    EXPECT_LE(sent, planned + more);
  });
}

INSTANTIATE_TEST_SUITE_P(
    Of, SentElements,
    testing::Values(Sending{1, 0}, Sending{1, 1}, Sending{1, 2}, Sending{1, 3}, Sending{2, 1}, Sending{2, 2},
                    Sending{2, 3}, Sending{1, 0, false, 2}, Sending{1, 1, false, 2}, Sending{1, 2, false, 2},
                    Sending{1, 3, false, 2}, Sending{1, 2, true, 2}, Sending{1, 3, true, 2},
                    Sending{2, 3, true, 2}, Sending{1, 3, true, 1, 8}, Sending{1, 2, false, 1, 8},
                    Sending{1, 1, false, 1, 4, 2}, Sending{1, 2, false, 1, 4, 2},
                    Sending{1, 3, false, 1, 4, 2}, Sending{1, 3, true, 2, 4, 2},
                    Sending{1, 3, false, 1, 4, 2, {"mid_block=0", "down_blocks.1=3/all", "up_blocks.1=2"}}));

// Passes added up in parts: sums in another order, so equal up to rounding; three ranks have two, one and one
// lanes, four are two copies of two.
TEST(Accumulation, InPartsIsThatOfOneProcessUpToRounding) {
  for (const auto& [zero_stage, ranks, micro_batches] :
       {std::tuple(2, 2, 1), std::tuple(2, 3, 2), std::tuple(3, 2, 2), std::tuple(3, 3, 1),
        std::tuple(2, 4, 2)}) {
    config::TrainJob job = job_of(1, zero_stage);
    job.optimizer.use_8bit_adam = false;  // codes of 8 bits may be one apart
    job.optimizer.gradient_accumulation_steps = micro_batches;
    const Trained alone = trained(job, 1, 3);
    job.parallel.accumulation = config::Accumulation::Parts;
    job.parallel.shard_ranks = ranks == 4 ? 2 : 0;
    const Trained found = trained(job, ranks, 3);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_NEAR(found.losses[i], alone.losses[i], 1e-6 * alone.losses[i]) << zero_stage << ' ' << ranks;
      EXPECT_NEAR(found.norms[i], alone.norms[i], 1e-5 * alone.norms[i]) << zero_stage << ' ' << ranks;
    }
    expect_same(trained(job, ranks, 3), found);
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

}  // namespace
}  // namespace zt::train
