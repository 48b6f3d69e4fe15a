// SPDX-License-Identifier: Apache-2.0
// Numbers of several ranks that are not those of one process: not finite on one of them, or equal up to
// rounding alone.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "support/training_ranks.hpp"

namespace zt::train {
namespace {

using namespace test::ranks;

/// Three steps, in the second of which the last lane's latents are no numbers. Its norms: how many elements
/// of its gradients are none.
Trained train_with_a_bad_lane(const config::TrainJob& job, int size) {
  Trained out;
  std::mutex mutex;
  run_ranks(job, size, [&](int rank, Rank& one) {
    std::vector<StepReport> reports;
    for (int step = 0; step < 3; ++step) {
      one.alter = [&](int64_t lane, Batch& batch) {
        if (step == 1 && lane == job.lanes - 1)
          batch.latents_BCFHW.fill_(std::numeric_limits<float>::quiet_NaN());
      };
      reports.push_back(one.step());
    }
    const std::lock_guard lock(mutex);
    for (size_t step = 0; step < 3; ++step) {
      EXPECT_EQ(reports[step].is_skipped, step == 1) << "rank " << rank;
      if (rank == 0) out.losses.push_back(step == 1 ? 0 : reports[step].loss);
    }
    EXPECT_FALSE(reports[1].norms.first_nonfinite.empty());
    EXPECT_GT(reports[1].num_nonfinite, 0);
    if (rank == 0) out.norms.push_back(static_cast<double>(reports[1].num_nonfinite));
    EXPECT_TRUE(std::isnan(reports[1].samples.back().mse)) << "known on every rank";
    EXPECT_TRUE(std::isfinite(reports[1].samples.front().mse));
    collect(one.state_pieces(), out.state);
  });
  return out;
}

TEST(NonFiniteGradient, OfOneRankIsSkippedByAllAlike) {
  for (const int64_t zero_stage : {0, 1, 2, 3}) {
    const config::TrainJob job = job_of(1, zero_stage);
    const Trained wanted = train_with_a_bad_lane(job, 1);
    for (const int ranks : {2, 4}) {
      const Trained found = train_with_a_bad_lane(job, ranks);
      EXPECT_EQ(found.losses, wanted.losses);
      EXPECT_EQ(found.norms, wanted.norms) << "elements that are not finite";
      for (const auto& [name, value] : wanted.state) {
        EXPECT_TRUE(at::equal(found.state.at(name), value))
            << name << ", stage " << zero_stage << ", ranks " << ranks;
        EXPECT_TRUE(at::isfinite(value.to(at::kFloat)).all().item<bool>()) << name;
      }
    }
  }
}

// Moments are nobody else's: with ZeRO 1 to 3 no comparison of ranks would ever see them.
TEST(BitFlippedAtRest, OfOptimizerStateIsFoundInTheNextStepAndBlamedOnItsRank) {
  for (const int64_t zero_stage : {0, 1, 2, 3}) {
    std::array<std::optional<Error>, 2> ends;
    run_ranks(job_of(1, zero_stage), 2, [&](int rank, Rank& one) {
      for (int step = 0; step < 2; ++step) one.step();
      for (const params::StateTensor& t : one.state_pieces()) {
        if (rank != 1 || !t.name.starts_with("optimizer.exp_avg_")) continue;
        *static_cast<uint8_t*>(t.value.data_ptr()) ^= 0x08;
        break;
      }
      const Result<StepReport> third = one.try_step();
      if (!third) ends[static_cast<size_t>(rank)] = third.error();
    });
    ASSERT_TRUE(ends[1].has_value()) << "stage " << zero_stage;
    EXPECT_EQ(ends[1]->code, ErrorCode::Corrupt) << ends[1]->text();
    EXPECT_EQ(ends[1]->text().find("the optimizer state of "), 0U) << ends[1]->text();
    EXPECT_NE(ends[1]->text().find("changed in the memory of rank 1"), std::string::npos) << ends[1]->text();
    // Who exchanges nothing after the update learns of it in the next step.
    EXPECT_EQ(ends[0] ? ends[0]->code : ErrorCode::PeerLost, ErrorCode::PeerLost);
  }
}

/// A lane for each rank, against one process with the whole batch in one lane: other kernels' sums, other
/// trees.
void expect_one_process_up_to_rounding(uint64_t steps) {
  config::TrainJob job = job_of(1, 1);
  job.optimizer.use_8bit_adam = false;  // codes of 8 bits may be one apart
  job.lanes = 1;
  job.data.train_bs = 2;
  const Trained one = trained(job, 1, steps);
  job.lanes = 2;
  job.data.train_bs = 1;
  const Trained two = trained(job, 2, steps);

  double largest = 0;
  for (size_t i = 0; i < steps; ++i)
    largest = std::max(largest, std::abs(two.losses[i] - one.losses[i]) / one.losses[i]);
  std::printf("losses of two ranks and of one process differ by %.1e at most in %d steps%s\n", largest,
              static_cast<int>(steps), largest > 0 ? "" : ": kernels and trees that round alike");
  EXPECT_LE(largest, 1e-6);
}

TEST(DefaultLanes, AreThoseOfOneProcessUpToRounding) { expect_one_process_up_to_rounding(12); }

TEST(DefaultLanes, SlowAreThoseOfOneProcessUpToRounding) { expect_one_process_up_to_rounding(50); }

}  // namespace
}  // namespace zt::train
