// SPDX-License-Identifier: Apache-2.0
// Numbers of several ranks that are not those of one process: not finite on one of them, or equal up to
// rounding alone.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <mutex>
#include <vector>

#include "support/training_ranks.hpp"

namespace zt::train {
namespace {

using namespace test::ranks;

/// Three steps, in the second of which the last lane's latents are no numbers.
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
      for (const auto& [name, value] : wanted.state) {
        EXPECT_TRUE(at::equal(found.state.at(name), value))
            << name << ", stage " << zero_stage << ", ranks " << ranks;
        EXPECT_TRUE(at::isfinite(value.to(at::kFloat)).all().item<bool>()) << name;
      }
    }
  }
}

// A lane for each rank, against one process with the whole batch in one lane: other kernels' sums, other
// trees.
TEST(DefaultLanes, SlowAreThoseOfOneProcessUpToRounding) {
  constexpr uint64_t kSteps = 50;
  config::TrainJob job = job_of(1, 1);
  job.optimizer.use_8bit_adam = false;  // codes of 8 bits may be one apart
  job.lanes = 1;
  job.data.train_bs = 2;
  const Trained one = trained(job, 1, kSteps);
  job.lanes = 2;
  job.data.train_bs = 1;
  const Trained two = trained(job, 2, kSteps);

  double largest = 0;
  for (size_t i = 0; i < kSteps; ++i)
    largest = std::max(largest, std::abs(two.losses[i] - one.losses[i]) / one.losses[i]);
  std::printf("losses of two ranks and of one process differ by %.1e at most in %d steps\n", largest,
              static_cast<int>(kSteps));
  EXPECT_LE(largest, 1e-6);
}

}  // namespace
}  // namespace zt::train
