// SPDX-License-Identifier: Apache-2.0
#include "train/pass/batch.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/tiny_networks.hpp"

namespace zt::train {
namespace {

using test::noise_samples;
using test::tiny_job;

BatchRules rules_of(const config::TrainJob& job) {
  BatchRules rules;
  rules.seed = static_cast<uint64_t>(job.seed);
  rules.schedule = job.schedule;
  rules.condition = job.condition;
  rules.null_embedding_D = at::full({test::kTinyContext}, -1.0F);
  return rules;
}

TEST(Batch, DroppedItemsHaveNoReferenceRow) {
  const config::TrainJob job = tiny_job();
  const auto samples = noise_samples(job, 10, 3);
  const Batch batch =
      assemble(samples, std::vector<SampleRoll>{{5, false}, {6, true}, {7, false}}, rules_of(job));

  EXPECT_EQ(batch.bank_row_B, (std::vector<int64_t>{0, -1, 1}));
  EXPECT_EQ(batch.reference_RCHW.size(0), 2);
  EXPECT_TRUE(at::equal(batch.reference_RCHW[1], samples[2].reference.mean_CHW));
  EXPECT_TRUE(at::equal(batch.context_BLD[1][0], rules_of(job).null_embedding_D));
  EXPECT_TRUE(at::equal(batch.context_BLD[2][0], samples[2].embedding_D));
  EXPECT_EQ(batch.timesteps_B[1].item<int64_t>(), 6);
}

TEST(Batch, WithoutAnyReferenceThereIsNoBank) {
  const config::TrainJob job = tiny_job();
  const auto samples = noise_samples(job, 0, 2);
  const Batch batch = assemble(samples, std::vector<SampleRoll>{{1, true}, {2, true}}, rules_of(job));

  EXPECT_FALSE(batch.has_references());
}

TEST(Batch, AnItemDoesNotDependOnItsNeighbours) {
  const config::TrainJob job = tiny_job(2);
  const auto samples = noise_samples(job, 10, 4);
  const BatchRules rules = rules_of(job);
  const Batch all = assemble(samples, roll_samples(samples, rules), rules);
  const std::span<const prepare::EncodedSample> last(&samples[3], 1);
  const Batch alone = assemble(last, roll_samples(last, rules), rules);

  EXPECT_TRUE(at::equal(all.latents_BCFHW[3], alone.latents_BCFHW[0]));
  EXPECT_TRUE(at::equal(all.noise_BCFHW[3], alone.noise_BCFHW[0]));
  EXPECT_EQ(all.timesteps_B[3].item<int64_t>(), alone.timesteps_B[0].item<int64_t>());
}

TEST(Batch, BatchScopeDropsAllItemsOrNone) {
  config::TrainJob job = tiny_job();
  job.condition.uncond_ratio = 0.5;
  const auto is_dropped = [](const SampleRoll& roll) { return roll.is_dropped; };
  int mixed_per_sample = 0, mixed_per_batch = 0, dropped_batches = 0;
  for (uint64_t first = 0; first < 80; first += 4) {
    const auto samples = noise_samples(job, first, 4);
    for (const auto scope : {config::DropoutScope::Sample, config::DropoutScope::Batch}) {
      job.condition.dropout_scope = scope;
      const auto rolls = roll_samples(samples, rules_of(job));
      const auto dropped = std::count_if(rolls.begin(), rolls.end(), is_dropped);
      const bool is_mixed = dropped > 0 && dropped < 4;
      (scope == config::DropoutScope::Sample ? mixed_per_sample : mixed_per_batch) += is_mixed;
      dropped_batches += scope == config::DropoutScope::Batch && dropped == 4;
    }
  }

  EXPECT_GT(mixed_per_sample, 10);
  EXPECT_EQ(mixed_per_batch, 0);
  EXPECT_GT(dropped_batches, 3);
}

TEST(Batch, PosesAreScaledToUnitRange) {
  const config::TrainJob job = tiny_job();
  auto samples = noise_samples(job, 0, 1);
  samples[0].pose_3FHW.fill_(51);
  const Batch batch = assemble(samples, std::vector<SampleRoll>{{1, false}}, rules_of(job));

  EXPECT_FLOAT_EQ(batch.pose_BCFHW.max().item<float>(), 0.2F);
}

}  // namespace
}  // namespace zt::train
