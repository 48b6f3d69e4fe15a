// SPDX-License-Identifier: Apache-2.0
// Offloaded state steps with the bits of state that lies beside its parameters. Both are on the CPU here;
// tests/gpu does the same with parameters on a GPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "optim/adamw.hpp"
#include "optim/ema.hpp"
#include "support/optimizer_formats.hpp"
#include "support/optimizer_steps.hpp"
#include "support/param_store.hpp"

namespace zt::optim {
namespace {

using test::Rank;

void expect_same(const Rank& found, const Rank& wanted) {
  const auto a = found.state(), b = wanted.state();
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i].value, b[i].value)) << b[i].name;
  const auto counted = found.adamw.scalars(), counts = wanted.adamw.scalars();
  ASSERT_EQ(counted.size(), counts.size());
  for (size_t i = 0; i < counts.size(); ++i) EXPECT_EQ(counted[i].value, counts[i].value) << counts[i].name;
}

class Offload : public ::testing::TestWithParam<test::Format> {};

TEST_P(Offload, GivesTheSameBits) {
  Rank offloaded(GetParam(), true), beside(GetParam(), false);
  for (Rank* rank : {&offloaded, &beside}) test::make_three_steps(*rank->store, rank->adamw, rank->ema);

  expect_same(offloaded, beside);
  for (const params::Segment& segment : offloaded.store->segments()) {
    EXPECT_EQ(segment.gradients_P.count_nonzero().item<int64_t>(), 0) << segment.unit;
    EXPECT_FALSE(segment.touched);
  }
}

TEST_P(Offload, GivesTheSameBitsToEveryShard) {
  for (int64_t rank = 0; rank < 3; ++rank) {
    Rank offloaded(GetParam(), true, {rank, 3}), beside(GetParam(), false, {rank, 3});
    for (Rank* one : {&offloaded, &beside}) test::make_three_steps(*one->store, one->adamw, one->ema);
    expect_same(offloaded, beside);
  }
}

// ZeRO 3: a rank has no more of values and gradients than its part.
TEST_P(Offload, GivesTheSameBitsWhereOnlyPartsAreKept) {
  const params::Residency parts{.whole_values = false, .whole_gradients = false};
  Rank offloaded(GetParam(), true, {1, 3}, parts), beside(GetParam(), false, {1, 3}, parts);
  for (Rank* rank : {&offloaded, &beside}) {
    for (params::Segment& segment : rank->store->segments()) {
      segment.gradients_S.copy_((at::arange(segment.part.size(), at::kFloat) * 0.37).sin());
      segment.touched = true;
    }
    rank->adamw.step({.lr = 1e-2, .ema = &rank->ema, .clear_gradients = true});
  }

  expect_same(offloaded, beside);
  EXPECT_EQ(offloaded.store->segments()[0].gradients_S.count_nonzero().item<int64_t>(), 0);
}

TEST_P(Offload, GoesOnFromStateBesideTheParametersAndBack) {
  Rank beside(GetParam(), false), offloaded(GetParam(), true), whole(GetParam(), false);
  const auto hand_over = [](const Rank& from, Rank& to) {
    const auto source = from.state(), target = to.state();
    for (size_t i = 0; i < target.size(); ++i) target[i].value.copy_(source[i].value);
    ASSERT_TRUE(to.adamw.set_scalars(from.adamw.scalars()));
    ASSERT_TRUE(to.ema.set_scalars(from.ema.scalars()));
  };
  const auto train = [](Rank& rank) { test::make_three_steps(*rank.store, rank.adamw, rank.ema); };

  train(beside);
  hand_over(beside, offloaded);
  train(offloaded);
  hand_over(offloaded, beside);
  train(beside);
  for (int i = 0; i < 3; ++i) train(whole);

  expect_same(beside, whole);
}

TEST_P(Offload, LeavesGradientsWhereTheyAreNotToBeCleared) {
  Rank rank(GetParam(), true);
  test::fill_gradients(*rank.store, {"net"}, 1);
  const at::Tensor before = test::gradient(*rank.store, "a").clone();

  rank.adamw.step({.lr = 1e-2});

  EXPECT_TRUE(at::equal(test::gradient(*rank.store, "a"), before));
}

INSTANTIATE_TEST_SUITE_P(Of, Offload, ::testing::ValuesIn(test::kFormats),
                         [](const auto& format) { return format.param.name; });

}  // namespace
}  // namespace zt::optim
