// SPDX-License-Identifier: Apache-2.0
#include "train/launch/start_weights.hpp"

#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "config/load.hpp"
#include "models/network_set.hpp"
#include "support/run_of_small_model.hpp"

namespace zt::train {
namespace {

namespace fs = std::filesystem;

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
  /// The step of the checkpoint whose weights a network begins from.
  int64_t step_of(const std::string& checkpoint) const {
    models::BuildOptions options;
    options.motion = true;
    const auto set = models::build_networks(job_.model, 4, options).value();
    const Status copied = copy_stage1(job_, checkpoint, *set.store);
    EXPECT_TRUE(copied) << copied.error().text();
    for (uint64_t seed = 0; seed < 2; ++seed) {
      options.seed = seed;
      const auto made = models::build_networks(job_.model, 4, options).value();
      if (weight(made).equal(weight(set))) return static_cast<int64_t>(seed) + 1;
    }
    return -1;
  }
  static at::Tensor weight(const models::NetworkSet& set) {
    return set.store->find("denoising_unet.conv_in.weight")->value.detach();
  }

  config::TrainJob job_;
};

TEST_F(StartWeights, AreTheBestAtFirst) {
  const contract::RunFolder run = make_stage2();
  EXPECT_EQ(chosen_stage1(run).error().code, ErrorCode::NotFound);

  EXPECT_EQ(choose_stage1(job_, run).value(), "step-00000002");

  EXPECT_EQ(chosen_stage1(run).value(), "step-00000002");
  EXPECT_EQ(step_of("step-00000002"), 2);
}

// The stage-1 run trained on meanwhile, and another checkpoint is its best now.
TEST_F(StartWeights, StayTheSameWhenAnotherBecomesTheBest) {
  const contract::RunFolder run = make_stage2();
  ASSERT_TRUE(files::write_atomic(run.stage1_checkpoint(), "step-00000001\n"));

  EXPECT_EQ(choose_stage1(job_, run).value(), "step-00000001") << "of a run that is launched again";
  EXPECT_EQ(step_of(chosen_stage1(run).value()), 1);
}

TEST_F(StartWeights, AreChosenAnewWhereThatCheckpointIsGone) {
  const contract::RunFolder run = make_stage2();
  ASSERT_TRUE(files::write_atomic(run.stage1_checkpoint(), "step-00000007\n"));

  EXPECT_EQ(choose_stage1(job_, run).value(), "step-00000002");
  EXPECT_EQ(chosen_stage1(run).value(), "step-00000002");
}

}  // namespace
}  // namespace zt::train
