// SPDX-License-Identifier: Apache-2.0
#include "dist/tree_sum.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <map>
#include <utility>
#include <vector>

namespace zt::dist {
namespace {

std::vector<at::Tensor> random_parts(size_t count, int64_t numel, at::ScalarType type) {
  std::vector<at::Tensor> parts;
  for (size_t i = 0; i < count; ++i) parts.push_back(at::randn({numel}).mul_(100).to(type));
  return parts;
}

/// How many of so many lanes are in the left subtree.
const std::map<size_t, size_t> kLeft = {{2, 1}, {3, 2}, {4, 2}, {5, 4}, {6, 3},
                                        {7, 4}, {8, 4}, {9, 8}, {12, 6}};

at::Tensor lane_order_sum(const std::vector<at::Tensor>& lanes) {
  if (lanes.size() == 1) return lanes.front();
  const auto middle = lanes.begin() + static_cast<std::ptrdiff_t>(kLeft.at(lanes.size()));
  return lane_order_sum({lanes.begin(), middle}).add(lane_order_sum({middle, lanes.end()}));
}

at::Tensor summed(const std::vector<at::Tensor>& parts) {
  at::Tensor out = at::empty_like(parts.front());
  tree_sum(out, parts);
  return out;
}

TEST(TreeSum, IsTheSumOverLanesBitForBit) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf, at::kLong}) {
    for (size_t count = 1; count <= 9; ++count) {
      const std::vector<at::Tensor> parts = random_parts(count, 1003, type);

      EXPECT_TRUE(at::equal(summed(parts), lane_order_sum(parts))) << count << " of " << type;
    }
  }
}

TEST(TreeSum, IsTheSameInSeveralBlocks) {
  const std::vector<at::Tensor> parts = random_parts(5, 200'001, at::kFloat);

  EXPECT_TRUE(at::equal(summed(parts), lane_order_sum(parts)));
}

TEST(TreeSum, OfRanksSumsEqualsTheSumOverAllLanes) {
  for (const auto& [num_lanes, ranks] : std::initializer_list<std::pair<size_t, size_t>>{
           {8, 1}, {8, 2}, {8, 4}, {8, 8}, {12, 2}, {12, 4}, {12, 12}}) {
    const std::vector<at::Tensor> lanes = random_parts(num_lanes, 501, at::kBFloat16);
    const size_t per_rank = lanes.size() / ranks;
    std::vector<at::Tensor> of_ranks;
    for (size_t rank = 0; rank < ranks; ++rank) {
      const auto first = lanes.begin() + static_cast<std::ptrdiff_t>(rank * per_rank);
      of_ranks.push_back(lane_order_sum({first, first + static_cast<std::ptrdiff_t>(per_rank)}));
    }

    EXPECT_TRUE(at::equal(summed(of_ranks), lane_order_sum(lanes)))
        << num_lanes << " lanes on " << ranks << " ranks";
  }
}

TEST(TreeSum, MayWriteOverAnyPart) {
  for (size_t target = 0; target < 5; ++target) {
    const std::vector<at::Tensor> parts = random_parts(5, 130'000, at::kFloat);
    const at::Tensor wanted = lane_order_sum(parts);

    tree_sum(parts[target], parts);

    EXPECT_TRUE(at::equal(parts[target], wanted)) << target;
  }
}

TEST(TreeSum, RoundsToTheTypeAtEveryNode) {
  // 256 + 1 lies between the bfloat16 numbers 256 and 258 and rounds to even, 256; so does adding another 1.
  // Summed in one go, 256 + 1 + 1 would be 258.
  const auto scalar = [](float value) { return at::full({1}, value, at::kBFloat16); };

  const at::Tensor sum = summed({scalar(256), scalar(1), scalar(1)});

  EXPECT_EQ(sum.item<float>(), 256);
}

}  // namespace
}  // namespace zt::dist
