// SPDX-License-Identifier: Apache-2.0
#include "train/launch/start_weights.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "config/load.hpp"
#include "models/network_set.hpp"
#include "support/run_of_small_model.hpp"

namespace zt::train {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

/// Of a stage-1 run whose second checkpoint is the best.
class StartWeights : public test::RunFolderOfARun {
 protected:
  void SetUp() override {
    job_.stage = 2;
    job_.model = model_;
    job_.model.stage1_run = make_run("first", 1, {0.9, 0.5}, /*with_ema=*/false).string();
  }

  contract::RunFolder make_stage2() const {
    return contract::RunFolder::create(
               {.runs_folder = folder_.path(), .name = "second", .run_yaml = "stage: 2\n", .kind = "stage2"})
        .value();
  }
  /// The step of the checkpoint whose weights a rank begins from.
  Result<int64_t> step_of(const contract::RunFolder& run, Starter starter) const {
    models::BuildOptions options;
    options.motion = true;
    const auto set = models::build_networks(job_.model, 4, options).value();
    ZT_TRY(copy_stage1(job_, run, starter, *set.store));
    for (int64_t seed = 0; seed < 2; ++seed) {
      options.seed = static_cast<uint64_t>(seed);
      const auto made = models::build_networks(job_.model, 4, options).value();
      if (weight(made).equal(weight(set))) return seed + 1;
    }
    return -1;
  }
  static at::Tensor weight(const models::NetworkSet& set) {
    return set.store->find("denoising_unet.conv_in.weight")->value.detach();
  }

  config::TrainJob job_;
};

TEST_F(StartWeights, AreThoseThatTheFirstRankChose) {
  const contract::RunFolder run = make_stage2();

  EXPECT_EQ(step_of(run, Starter::First).value(), 2) << "the best";

  EXPECT_EQ(files::read(run.stage1_checkpoint(), 100).value(), "step-00000002\n");
}

// The stage-1 run trained on meanwhile, and another checkpoint is its best now.
TEST_F(StartWeights, StayTheSameWhenAnotherBecomesTheBest) {
  const contract::RunFolder run = make_stage2();
  ASSERT_TRUE(files::write_atomic(run.stage1_checkpoint(), "step-00000001\n"));

  EXPECT_EQ(step_of(run, Starter::After).value(), 1);
  EXPECT_EQ(step_of(run, Starter::First).value(), 1) << "of a run that is launched again";
}

TEST_F(StartWeights, AreChosenAnewByTheFirstRankAloneWhereThatCheckpointIsGone) {
  const contract::RunFolder run = make_stage2();
  ASSERT_TRUE(files::write_atomic(run.stage1_checkpoint(), "step-00000007\n"));

  const auto after = step_of(run, Starter::After);

  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code, ErrorCode::NotFound);
  EXPECT_THAT(after.error().text(), HasSubstr("step-00000007"));
  EXPECT_EQ(step_of(run, Starter::First).value(), 2);
  EXPECT_EQ(step_of(run, Starter::After).value(), 2);
}

}  // namespace
}  // namespace zt::train
