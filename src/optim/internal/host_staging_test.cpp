// SPDX-License-Identifier: Apache-2.0
#include "optim/internal/host_staging.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "support/param_store.hpp"

namespace zt::optim::internal {
namespace {

using test::value;

/// Segments of 1536, 512 and 768 elements, of which the second is not touched.
std::unique_ptr<params::ParamStore> make_store() {
  auto store = test::make_store({{"a", {1500}, "ua"}, {"b", {300}, "ub", "other"}, {"c", {600}, "uc"}});
  test::fill_gradients(*store, {"net"}, 1);
  return store;
}

TEST(HostStaging, TakesPartsOfTouchedSegmentsInPiecesOfBoundedSize) {
  const auto store = make_store();
  HostStaging staging(at::kCPU, 512);
  std::vector<std::pair<size_t, params::Range>> seen;

  staging.run(
      store->segments(), [](size_t) { return true; },
      [&](size_t segment, const params::Segment& piece) { seen.emplace_back(segment, piece.part); });

  const std::vector<std::pair<size_t, std::pair<int64_t, int64_t>>> wanted = {
      {0, {0, 512}}, {0, {512, 1024}}, {0, {1024, 1536}}, {2, {0, 512}}, {2, {512, 768}}};
  ASSERT_EQ(seen.size(), wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(seen[i].first, wanted[i].first) << i;
    EXPECT_EQ(seen[i].second.begin, wanted[i].second.first) << i;
    EXPECT_EQ(seen[i].second.end, wanted[i].second.second) << i;
  }
}

TEST(HostStaging, BringsValuesAndGradientsAndPutsNewValuesBack) {
  const auto store = make_store();
  const at::Tensor a = value(*store, "a").clone(), b = value(*store, "b").clone(),
                   c = value(*store, "c").clone();
  HostStaging staging(at::kCPU, 512);

  staging.run(
      store->segments(), [](size_t) { return true; },
      [](size_t, const params::Segment& piece) {
        piece.values_S.mul_(2).add_(piece.gradients_S);
        piece.gradients_S.zero_();
      });

  EXPECT_TRUE(at::equal(value(*store, "a"), a * 2 + test::gradient(*store, "a")));
  EXPECT_TRUE(at::equal(value(*store, "c"), c * 2 + test::gradient(*store, "c")));
  EXPECT_TRUE(at::equal(value(*store, "b"), b));
  EXPECT_GT(test::gradient(*store, "a").abs().max().item<float>(), 0) << "gradients don't go back";
}

TEST(HostStaging, ShowsZerosWhereValuesAreNotNeeded) {
  const auto store = make_store();
  HostStaging staging(at::kCPU, 512);

  staging.run(
      store->segments(), [](size_t segment) { return segment == 0; },
      [](size_t, const params::Segment& piece) { piece.values_S.add_(1); });

  EXPECT_TRUE(at::equal(value(*store, "c"), at::ones({600})));
}

}  // namespace
}  // namespace zt::optim::internal
