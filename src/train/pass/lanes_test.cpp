// SPDX-License-Identifier: Apache-2.0
#include "train/pass/lanes.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <vector>

#include "support/tiny_networks.hpp"
#include "tensor/autocast.hpp"
#include "tensor/require.hpp"

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
    LaneGroup lanes(networks, {.num_lanes = 3, .num_threads = threads});
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

/// Gradients of one backward pass over all weights of the denoising UNet, by a lane group.
std::vector<at::Tensor> gradients_of(models::NetworkSet& networks, std::optional<at::ScalarType> copies) {
  LaneGroup lanes(networks, {.num_lanes = 2, .one_by_one = true, .compute_dtype = copies});
  const at::Tensor x_BCFHW = at::ones({1, test::kTinyChannels, 1, 4, 4});
  lanes.run([&](size_t lane, const StepNetworks& nets) {
    const tensor::AutocastGuard autocast(at::kCPU, {true, at::kBFloat16});
    models::DenoisingInput input;
    input.x_BCFHW = x_BCFHW * static_cast<double>(lane + 1);
    input.timestep_B = at::full({1}, 500, at::kLong);
    input.context_BLD = at::ones({1, 1, test::kTinyContext});
    nets.denoising_unet.forward(input).to(at::kFloat).square().sum().backward();
    lanes.collect(lane);
    lanes.store(lane).touch(models::kDenoisingUNet);
  });
  lanes.reduce();
  std::vector<at::Tensor> gradients;
  for (const params::Segment& segment : networks.store->segments())
    if (segment.touched) gradients.push_back(segment.gradients_P.clone());
  return gradients;
}

// Products read the same bf16 numbers either way. What reads fp32 in autocast on a CPU (norms, the row
// kernels) has rounded weights here, so the gradients are near and not equal.
TEST(Lanes, CopiesOfTheWeightsGiveAutocastsGradients) {
  models::NetworkSet plain = test::tiny_networks(test::tiny_job()),
                     copied = test::tiny_networks(test::tiny_job());
  const std::vector<at::Tensor> wanted = gradients_of(plain, std::nullopt),
                                found = gradients_of(copied, at::kBFloat16);
  ASSERT_FALSE(wanted.empty());
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t s = 0; s < wanted.size(); ++s) {
    EXPECT_GT(wanted[s].norm().item<double>(), 0);
    EXPECT_LT(((found[s] - wanted[s]).norm() / wanted[s].norm()).item<double>(), 0.05) << s;
  }
}

TEST(Lanes, SideBySideCantShareCopies) {
  models::NetworkSet networks = test::tiny_networks(test::tiny_job());
  EXPECT_THROW(LaneGroup(networks, {.num_lanes = 2, .num_threads = 2, .compute_dtype = at::kBFloat16}),
               tensor::ContractError);
}

TEST(Lanes, WhatALaneThrowsReachesTheCaller) {
  models::NetworkSet networks = test::tiny_networks(test::tiny_job());
  LaneGroup lanes(networks, {.num_lanes = 4, .num_threads = 2});
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
