// SPDX-License-Identifier: Apache-2.0
// Ranks that share optimizer, averages and norms compute the bits that one rank does.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "optim/adamw.hpp"
#include "optim/ema.hpp"
#include "optim/gradient_norm.hpp"
#include "support/optimizer_steps.hpp"
#include "support/param_store.hpp"

namespace zt::optim {
namespace {

// Lengths that no shard border respects; two groups, of which one is not always reached.
const std::vector<test::TestParam> kParams = {
    {"a", {5000}}, {"b", {300}, "other_unit"}, {"c", {70, 64}, "net", "late"}, {"d", {7}}};

using State = std::map<std::string, at::Tensor>;

/// Three steps of one rank's shard, pieces copied into `whole`: parameters as well as moments and averages.
void train_shard(params::Shard shard, const params::PlacementRule& placement, State& whole) {
  const auto store = test::make_store(kParams, placement, shard);
  AdamW adamw(*store, {});
  Ema ema(*store, {.decay = 0.9});
  test::make_three_steps(*store, adamw, ema);
  const auto collect = [&](const params::StateTensor& t) {
    const std::vector<int64_t> shape = t.piece ? t.piece->whole_shape : t.value.sizes().vec();
    at::Tensor& into = whole.try_emplace(t.name, at::zeros(shape, t.value.options())).first->second;
    into.view(-1).narrow(0, t.piece ? t.piece->begin : 0, t.value.numel()).copy_(t.value.reshape(-1));
  };
  adamw.visit_state(collect);
  ema.visit_state(collect);
  for (const params::StoredParam& param : store->params()) {
    const params::Segment& segment = store->segments()[param.segment];
    params::visit_held(collect, param.info.name, segment.values_S, segment.part, param.place(),
                       param.info.shape);
  }
  for (const params::Segment& segment : store->segments())
    EXPECT_EQ(segment.gradients_P.count_nonzero().item<int64_t>(), 0) << segment.unit;
}

State train(int64_t ranks, const params::PlacementRule& placement) {
  State whole;
  for (int64_t rank = 0; rank < ranks; ++rank) train_shard({rank, ranks}, placement, whole);
  return whole;
}

class Shards : public ::testing::TestWithParam<int64_t> {};

void expect_same(const State& found, const State& wanted) {
  ASSERT_EQ(found.size(), wanted.size());
  for (const auto& [name, value] : wanted) EXPECT_TRUE(at::equal(found.at(name), value)) << name;
}

TEST_P(Shards, StepAsOneDoesInFloat32) { expect_same(train(GetParam(), {}), train(1, {})); }

TEST_P(Shards, StepAsOneDoesIn8Bit) {
  expect_same(train(GetParam(), test::eight_bit_moments()), train(1, test::eight_bit_moments()));
}

TEST_P(Shards, KnowTheNormsTogether) {
  const int64_t ranks = GetParam();
  const auto one = test::make_store(kParams);
  test::fill_gradients(*one, {"net"}, 0.3);
  std::unique_ptr<params::ParamStore> shared;
  std::vector<std::vector<double>> by_rank;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    shared = test::make_store(kParams, {}, {rank, ranks});
    test::fill_gradients(*shared, {"net"}, 0.3);
    by_rank.push_back(partial_square_sums(*shared));
    EXPECT_EQ(by_rank.back().size(), num_partial_sums(*shared, rank));
  }

  const GradientNorms found = gradient_norms(*shared, by_rank, 0.5), wanted = gradient_norms(*one, 0.5);

  EXPECT_EQ(found.total, wanted.total);
  EXPECT_EQ(found.by_module, wanted.by_module);
  EXPECT_GT(found.total, 0);
}

TEST_P(Shards, NameTheParameterThatIsNotFinite) {
  const int64_t ranks = GetParam();
  std::unique_ptr<params::ParamStore> store;
  std::vector<std::vector<double>> by_rank;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    store = test::make_store(kParams, {}, {rank, ranks});
    test::fill_gradients(*store, {"net", "late"}, 0);
    test::gradient(*store, "c")[69][63] = std::numeric_limits<float>::quiet_NaN();
    by_rank.push_back(partial_square_sums(*store));
  }

  EXPECT_EQ(gradient_norms(*store, by_rank, 1).first_nonfinite, "c");
}

INSTANTIATE_TEST_SUITE_P(OfRanks, Shards, ::testing::Values(1, 2, 3, 4, 7));

TEST(Shards, GatherTheAveragesWithinAScope) {
  const auto store = test::make_store({{"p", {512}}}, {}, {1, 2});
  Ema ema(*store, {.decay = 0.5, .warmup = false});
  const at::Tensor before = test::value(*store, "p").clone();
  store->assign("p", at::zeros({512}));
  ema.update();
  int calls = 0;
  {
    const EmaScope scope(&ema, [&] { ++calls; });
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(test::value(*store, "p").slice(0, 0, 256).abs().max().item<float>(), 0);
    EXPECT_TRUE(at::equal(test::value(*store, "p").slice(0, 256), before.slice(0, 256) * 0.5));
  }
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(test::value(*store, "p").abs().max().item<float>(), 0);
}

}  // namespace
}  // namespace zt::optim
