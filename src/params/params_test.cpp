// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "params/left_half.hpp"
#include "params/param_store.hpp"
#include "tensor/require.hpp"

namespace zt::params {
namespace {

// As strides double over a row of numbers, each adding its right neighbour to the left one.
TEST(LeftHalf, IsTheLastStrideOfASumInPlace) {
  for (int64_t count = 2; count <= 70; ++count) {
    int64_t last = 0;
    for (int64_t stride = 1; stride < count; stride *= 2) last = stride;
    EXPECT_EQ(left_half(count), last) << count;
  }
}

TEST(LeftLanes, CutWhereRanksThatAreAPowerOfTwoMeet) {
  for (const int64_t lanes : {2, 4, 6, 8, 12, 20, 24}) {
    for (int64_t ranks = 1; lanes % ranks == 0; ranks *= 2) {
      int64_t of_rank = lanes;
      for (int64_t left = ranks; left > 1; left /= 2) of_rank = left_lanes(of_rank);
      EXPECT_EQ(of_rank, lanes / ranks) << lanes << " lanes on " << ranks << " ranks";
    }
  }
  EXPECT_EQ(left_lanes(3), 2);
  EXPECT_EQ(left_lanes(5), 4);
}

/// A network of two units: one linear layer each, and a buffer.
struct TinyNet {
  explicit TinyNet(const ParamSource& source)
      : first(source.unit("first").child("a").parameter("weight", {3, 5}, Init::fan_in(5))),
        bias(source.unit("first").child("a").parameter("bias", {3}, Init::zeros())),
        second(source.unit("second").group("side").child("b").parameter("weight", {300}, Init::normal(0.5f))),
        pe(source.unit("second").child("b").buffer("pe", {1, 4, 6}, Init::sine_positions())) {}
  at::Tensor first, bias, second, pe;
};

ParamTable declared() {
  ParamTable table;
  TinyNet{ParamSource(table, "net")};
  return table;
}

TEST(ParamTable, CountsWhatAConstructorDeclares) {
  const ParamTable table = declared();
  EXPECT_EQ(table.num_elements(), 15 + 3 + 300);
  EXPECT_EQ(table.num_tensors(), 4u);
  EXPECT_EQ(table.units(), (std::vector<std::string>{"net.first", "net.second"}));
  EXPECT_EQ(table.find("net.b.weight")->group, "net.side");
  EXPECT_EQ(table.find("net.c"), nullptr);
}

TEST(ParamTable, RefusesANameTwice) {
  ParamTable table;
  const ParamSource source(table, "net");
  source.parameter("w", {1}, Init::zeros());
  EXPECT_THROW(source.parameter("w", {1}, Init::zeros()), tensor::ContractError);
}

TEST(ParamStore, LaysParametersOn256ElementBorders) {
  const ParamStore store(declared(), {});
  ASSERT_EQ(store.segments().size(), 3u);  // first; second's trainable side group; second's buffer
  const Segment& first = store.segments()[0];
  EXPECT_EQ(first.values_P.numel(), 512);
  EXPECT_EQ(store.find("net.a.bias")->offset, 256);
  EXPECT_EQ(store.segments()[1].values_P.numel(), 512);
  EXPECT_FALSE(store.segments()[2].placement.trainable);
  EXPECT_FALSE(store.segments()[2].gradients_P.defined());
  EXPECT_EQ(store.num_trainable(), 318);
  EXPECT_EQ(store.num_bytes(), 4 * (512 + 512 + 512 + 512 + 256));
}

TEST(ParamStore, ParametersAndGradientsAreViewsOfFlatStorage) {
  ParamStore store(declared(), {});
  const TinyNet net(store.source("net"));

  at::linear(at::ones({2, 5}), net.first, net.bias).sum().backward();

  Segment& segment = store.segments()[0];
  EXPECT_TRUE(net.first.is_leaf() && net.first.requires_grad());
  EXPECT_TRUE(at::equal(segment.gradients_P.narrow(0, 0, 15), at::full({15}, 2.0f)));
  EXPECT_TRUE(at::equal(segment.gradients_P.narrow(0, 256, 3), at::full({3}, 2.0f)));
  EXPECT_EQ(segment.gradients_P.sum().item<float>(), 36.0f);
  segment.values_P.fill_(7);
  EXPECT_EQ(net.bias[1].item<float>(), 7.0f);
}

TEST(ParamStore, ZeroesOnlyWhatWasTouched) {
  ParamStore store(declared(), {});
  for (Segment& segment : store.segments()) {
    if (segment.gradients_P.defined()) segment.gradients_P.fill_(1);
  }
  store.touch("net.side");
  EXPECT_FALSE(store.segments()[0].touched);
  EXPECT_TRUE(store.segments()[1].touched);

  store.zero_gradients();

  EXPECT_EQ(store.segments()[0].gradients_P[0].item<float>(), 1.0f);
  EXPECT_EQ(store.segments()[1].gradients_P[0].item<float>(), 0.0f);
  EXPECT_FALSE(store.segments()[1].touched);
}

TEST(ParamStore, ASecondStoreSharesValuesAndKeepsItsOwnGradients) {
  ParamStore store(declared(), {});
  const std::unique_ptr<ParamStore> other = store.with_own_gradients();
  const TinyNet net(store.source("net")), twin(other->source("net"));

  (net.first.sum() * 2).backward();
  (twin.first.sum() * 3).backward();
  other->touch("net");

  EXPECT_EQ(store.find("net.a.weight")->value.grad().sum().item<float>(), 30);
  EXPECT_EQ(other->find("net.a.weight")->value.grad().sum().item<float>(), 45);
  EXPECT_FALSE(store.segments()[0].touched);
  store.assign("net.a.bias", at::full({3}, 7.0f));
  EXPECT_EQ(other->find("net.a.bias")->value.sum().item<float>(), 21);
}

TEST(ParamStore, PlacementSplitsSegments) {
  ParamStore::Options options;
  options.placement = [](const ParamInfo& info) {
    return Placement{.trainable = info.name.ends_with("bias"),
                     .decay_group = info.name.ends_with("bias") ? 1 : 0};
  };
  const ParamStore store(declared(), options);
  EXPECT_EQ(store.segments().size(), 4u);
  EXPECT_EQ(store.num_trainable(), 3);
  EXPECT_FALSE(store.find("net.a.weight")->value.requires_grad());
}

TEST(ParamStore, StartValuesDependOnSeedAndNameOnly) {
  ParamTable reversed;
  const ParamSource source(reversed, "net");
  source.parameter("b.weight", {300}, Init::normal(0.5f));
  source.parameter("a.weight", {3, 5}, Init::fan_in(5));
  const ParamStore one(declared(), {.placement = {}, .seed = 3}), two(reversed, {.placement = {}, .seed = 3}),
      other(declared(), {.placement = {}, .seed = 4});

  const auto value = [](const ParamStore& store, const char* name) { return store.find(name)->value; };
  EXPECT_TRUE(at::equal(value(one, "net.a.weight"), value(two, "net.a.weight")));
  EXPECT_TRUE(at::equal(value(one, "net.b.weight"), value(two, "net.b.weight")));
  EXPECT_FALSE(at::equal(value(one, "net.a.weight"), value(other, "net.a.weight")));
  EXPECT_LE(value(one, "net.a.weight").abs().max().item<float>(), 1 / std::sqrt(5.0f));
  EXPECT_NEAR(value(one, "net.b.weight").std().item<float>(), 0.5f, 0.1f);
  const at::Tensor pe = value(one, "net.b.pe");
  EXPECT_FLOAT_EQ(pe[0][2][0].item<float>(), std::sin(2.0f));
  EXPECT_FLOAT_EQ(pe[0][3][1].item<float>(), std::cos(3.0f));
  EXPECT_NEAR(pe[0][3][2].item<float>(), std::sin(3 * std::pow(10000.0, -2.0 / 6)), 1e-6);
}

TEST(ParamStore, AssignChecksNameAndShape) {
  ParamStore store(declared(), {});
  store.assign("net.a.bias", at::tensor({1.0, 2.0, 3.0}, at::kDouble));
  EXPECT_TRUE(at::equal(store.find("net.a.bias")->value, at::tensor({1.f, 2.f, 3.f})));
  EXPECT_THROW(store.assign("net.a.bias", at::zeros({4})), tensor::ContractError);
  EXPECT_THROW(store.assign("net.a.bia", at::zeros({3})), tensor::ContractError);
}

TEST(ParamStore, DigestSeesEveryValue) {
  ParamStore store(declared(), {});
  const std::string before = store.digest("net.a");
  EXPECT_EQ(before, ParamStore(declared(), {}).digest("net.a"));
  store.assign("net.b.weight", at::zeros({300}));
  EXPECT_EQ(before, store.digest("net.a"));
  store.assign("net.a.bias", at::tensor({0.f, 0.f, 1e-7f}));
  EXPECT_NE(before, store.digest("net.a"));
}

TEST(ParamSource, BindingChecksTheShape) {
  const ParamStore store(declared(), {});
  EXPECT_THROW(store.source("net").parameter("a.bias", {4}, Init::zeros()), tensor::ContractError);
  EXPECT_THROW(store.source("other").parameter("a.bias", {3}, Init::zeros()), tensor::ContractError);
}

}  // namespace
}  // namespace zt::params
