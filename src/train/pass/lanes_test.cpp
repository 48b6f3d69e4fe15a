// SPDX-License-Identifier: Apache-2.0
#include "train/pass/lanes.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>

#include "support/tiny_networks.hpp"

namespace zt::train {
namespace {

TEST(DivideThreads, GivesEveryLaneAThreadBeforeAnyGetsTwo) {
  const auto expect = [](int64_t lanes, int64_t threads, int64_t side_by_side, int64_t per_lane) {
    const LaneThreads found = divide_threads(lanes, threads);
    EXPECT_EQ(found.side_by_side, side_by_side) << lanes << " lanes, " << threads << " threads";
    EXPECT_EQ(found.per_lane, per_lane) << lanes << " lanes, " << threads << " threads";
  };
  expect(1, 2, 1, 2);
  expect(2, 2, 2, 1);
  expect(2, 1, 1, 1);
  expect(8, 2, 2, 1);
  expect(2, 8, 2, 4);
}

TEST(Lanes, SumGradientsAndFlagsOfAllLanes) {
  for (const int64_t threads : {1, 2}) {
    models::NetworkSet networks = test::tiny_networks(test::tiny_job());
    LaneGroup lanes(networks, /*num_lanes=*/3, threads);
    lanes.run([&](size_t lane, const StepNetworks&) {
      params::ParamStore& store = lanes.store(lane);
      store.touch(lane == 2 ? models::kReferenceUNet : models::kDenoisingUNet);
      for (params::Segment& segment : store.segments())
        if (segment.touched) segment.gradients_P.fill_(static_cast<double>(lane + 1));
    });
    lanes.reduce();

    for (const params::Segment& segment : networks.store->segments()) {
      const bool is_reference = segment.group == models::kReferenceUNet;
      const bool is_denoising = segment.group == models::kDenoisingUNet;
      if (!segment.gradients_P.defined()) continue;
      EXPECT_EQ(segment.touched, is_reference || is_denoising) << segment.unit;
      const double wanted = is_denoising ? 1 + 2 : is_reference ? 3 : 0;
      EXPECT_EQ(segment.gradients_P[0].item<double>(), wanted) << segment.unit;
    }
    EXPECT_FALSE(lanes.store(1).segments()[0].touched);
    EXPECT_EQ(lanes.store(1).segments()[0].gradients_P.abs().sum().item<double>(), 0);
  }
}

TEST(Lanes, WhatALaneThrowsReachesTheCaller) {
  models::NetworkSet networks = test::tiny_networks(test::tiny_job());
  LaneGroup lanes(networks, 4, 2);
  std::atomic<int> runs{0};

  EXPECT_THROW(lanes.run([&](size_t lane, const StepNetworks&) {
    ++runs;
    if (lane == 1) throw std::runtime_error("lane 1");
  }),
               std::runtime_error);
  EXPECT_EQ(runs, 4);
}

}  // namespace
}  // namespace zt::train
