// SPDX-License-Identifier: Apache-2.0
#include "train/ranks/unit_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/tiny_networks.hpp"

namespace zt::train {
namespace {

std::vector<std::string> names(int64_t stage, dist::Pass pass) {
  const models::NetworkSet networks = test::tiny_networks(test::tiny_job(stage));
  std::vector<std::string> out;
  for (const dist::Visit& visit : unit_order(*networks.store))
    if (visit.pass == pass) out.push_back(visit.unit);
  return out;
}

// Two levels of one layer; ReferenceNet ends at its last norm1.
const std::vector<std::string> kReference = {"reference_unet.conv_in",
                                             "reference_unet.down_blocks.0.layers.0",
                                             "reference_unet.down_blocks.0.downsampler",
                                             "reference_unet.down_blocks.1.layers.0",
                                             "reference_unet.mid_block.0",
                                             "reference_unet.mid_block.1",
                                             "reference_unet.up_blocks.0.layers.0",
                                             "reference_unet.up_blocks.0.layers.1",
                                             "reference_unet.up_blocks.0.upsampler",
                                             "reference_unet.up_blocks.1.layers.0",
                                             "reference_unet.up_blocks.1.layers.1"};

TEST(UnitOrder, OfStage1IsForwardThroughAllNetworksAndBack) {
  std::vector<std::string> forward = names(1, dist::Pass::Forward);
  ASSERT_GT(forward.size(), kReference.size() + 2);
  EXPECT_TRUE(std::equal(kReference.begin(), kReference.end(), forward.begin()))
      << testing::PrintToString(forward);
  EXPECT_EQ(forward[kReference.size()], "pose_guider");
  EXPECT_EQ(forward[kReference.size() + 1], "denoising_unet.conv_in");
  EXPECT_EQ(forward.back(), "denoising_unet.head");

  std::reverse(forward.begin(), forward.end());
  EXPECT_EQ(names(1, dist::Pass::Backward), forward);
}

TEST(UnitOrder, OfStage2GoesBackToTheFirstMotionModule) {
  const std::vector<std::string> forward = names(2, dist::Pass::Forward),
                                 back = names(2, dist::Pass::Backward);
  EXPECT_EQ(std::count(forward.begin(), forward.end(), "reference_unet.conv_in"), 1);
  EXPECT_EQ(back.front(), "denoising_unet.head");
  EXPECT_EQ(back.back(), "denoising_unet.down_blocks.0.layers.0");
}

}  // namespace
}  // namespace zt::train
