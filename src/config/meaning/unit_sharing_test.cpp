// SPDX-License-Identifier: Apache-2.0
#include "config/meaning/unit_sharing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.hpp"

namespace zt::config {
namespace {

using ::testing::HasSubstr;

TEST(UnitSharing, IsTheJobsStageAmongAllRanksByDefault) {
  ParallelJob job;
  for (const int64_t stage : {1, 2, 3}) {
    job.zero_stage = stage;
    EXPECT_EQ(sharing_of(job, "denoising_unet.head", 8).stage, stage);
    EXPECT_EQ(sharing_of(job, "denoising_unet.head", 8).ranks, 8);
    EXPECT_EQ(most_sharing(job, 8), 8);
  }
  job.zero_stage = 0;
  EXPECT_EQ(sharing_of(job, "denoising_unet.head", 8).ranks, 1);
  EXPECT_EQ(most_sharing(job, 8), 1);
}

TEST(UnitSharing, TheFirstRuleThatFitsDecides) {
  ParallelJob job;
  job.zero_stage = 3;
  job.shard_ranks = 2;
  job.units = {"mid_block=0", "reference_unet=1/all", "reference_unet.head=3"};
  EXPECT_EQ(sharing_of(job, "denoising_unet.mid_block", 8).stage, 0);
  EXPECT_EQ(sharing_of(job, "denoising_unet.mid_block", 8).ranks, 1);
  EXPECT_EQ(sharing_of(job, "reference_unet.head", 8).stage, 1);
  EXPECT_EQ(sharing_of(job, "reference_unet.head", 8).ranks, 8);
  EXPECT_EQ(sharing_of(job, "pose_guider", 8).stage, 3);
  EXPECT_EQ(sharing_of(job, "pose_guider", 8).ranks, 2);
  EXPECT_EQ(highest_stage(job), 3);
  EXPECT_EQ(most_sharing(job, 8), 8);
}

TEST(UnitSharing, RulesCanRaiseTheStageAndKeepWholeLowersThree) {
  ParallelJob job;
  job.zero_stage = 0;
  job.units = {"up_blocks=3"};
  job.keep_whole = {"up_blocks.1"};
  EXPECT_EQ(highest_stage(job), 3);
  EXPECT_EQ(sharing_of(job, "denoising_unet.up_blocks.0", 4).parts(3), 4);
  EXPECT_EQ(sharing_of(job, "denoising_unet.up_blocks.1", 4).stage, 2);
  EXPECT_EQ(sharing_of(job, "denoising_unet.up_blocks.1", 4).parts(3), 1);
  EXPECT_EQ(sharing_of(job, "denoising_unet.up_blocks.1", 4).parts(2), 4);
  EXPECT_EQ(sharing_of(job, "denoising_unet.conv_in", 4).parts(1), 1);
}

TEST(UnitSharing, OtherTextsAreRefused) {
  for (const char* text : {"", "mid_block", "=2", "mid_block=", "mid_block=4", "mid_block=2/some",
                           "mid_block=/all", "mid_block=-1", "mid_block=22"})
    EXPECT_THAT(parse_unit_rule(text).error().message, HasSubstr("parallel.units: wanted a part of")) << text;
  TrainJob job;
  job.parallel.units = {"mid_block=5"};
  EXPECT_THAT(validate(job).error().message, HasSubstr("\"mid_block=5\""));
}

}  // namespace
}  // namespace zt::config
