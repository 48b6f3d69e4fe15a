// SPDX-License-Identifier: Apache-2.0
#include "params/compute_copy.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "params/param_table.hpp"
#include "tensor/require.hpp"

namespace zt::params {
namespace {

/// A trained weight, a frozen one, and a buffer.
struct CopiedNet {
  explicit CopiedNet(const ParamSource& source)
      : trained(source.parameter("trained", {300}, Init::normal(0.5f))),
        frozen(source.parameter("frozen", {5}, Init::normal(0.5f))),
        pe(source.buffer("pe", {1, 4, 6}, Init::sine_positions())) {}
  at::Tensor trained, frozen, pe;
};

ParamStore::Options frozen_but_one(at::ScalarType frozen_dtype = at::kFloat) {
  ParamStore::Options options;
  options.placement = [=](const ParamInfo& info) {
    const bool trains = info.name == "net.trained";
    return Placement{.dtype = trains ? at::kFloat : frozen_dtype, .trainable = trains};
  };
  return options;
}

ParamTable copied_table() {
  ParamTable table;
  CopiedNet{ParamSource(table, "net")};
  return table;
}

TEST(ComputeCopy, HasTheWeightsRounded) {
  ParamStore store(copied_table(), frozen_but_one());
  ComputeCopy copy(store, at::kBFloat16);
  const CopiedNet net(copy.source("net"));
  copy.refresh();
  EXPECT_TRUE(at::equal(net.trained, store.find("net.trained")->value.to(at::kBFloat16)));
  EXPECT_TRUE(at::equal(net.frozen, store.find("net.frozen")->value.to(at::kBFloat16)));
  EXPECT_FALSE(net.frozen.requires_grad());

  store.assign("net.trained", at::full({300}, 0.3));
  EXPECT_FALSE(at::equal(net.trained, at::full({300}, 0.3, at::kBFloat16)));
  copy.refresh();
  EXPECT_TRUE(at::equal(net.trained, at::full({300}, 0.3, at::kBFloat16)));
}

TEST(ComputeCopy, SharesBuffersAndWhatHas16BitsAlready) {
  ParamStore store(copied_table(), frozen_but_one(at::kHalf));
  ComputeCopy copy(store, at::kBFloat16);
  const CopiedNet net(copy.source("net"));
  EXPECT_EQ(net.pe.data_ptr(), store.find("net.pe")->value.data_ptr());
  EXPECT_EQ(net.frozen.data_ptr(), store.find("net.frozen")->value.data_ptr());
  EXPECT_EQ(net.frozen.scalar_type(), at::kHalf);
}

TEST(ComputeCopy, CollectsOnTopOfEarlierPasses) {
  ParamStore store(copied_table(), frozen_but_one());
  ComputeCopy copy(store, at::kBFloat16);
  const CopiedNet net(copy.source("net"));
  copy.refresh();
  const at::Tensor& gradient = store.find("net.trained")->value.grad();
  const auto pass = [&](double factor) {
    (net.trained * factor).sum().backward();
    EXPECT_TRUE(net.trained.grad().defined());
    copy.collect(store);
    store.touch("net");
    EXPECT_FALSE(net.trained.grad().defined());
  };
  pass(2);
  EXPECT_TRUE(at::equal(gradient, at::full({300}, 2.0f)));
  pass(0.001);  // far below a step of bf16 at 2: passes are added in fp32
  EXPECT_TRUE(at::equal(gradient, at::full({300}, 2.0f) + at::full({300}, 0.001, at::kBFloat16)));
  store.zero_gradients();
  pass(3);
  EXPECT_TRUE(at::equal(gradient, at::full({300}, 3.0f)));
  EXPECT_EQ(store.find("net.trained")->value.grad().data_ptr(), gradient.data_ptr());
}

// Weights in bf16 beside norms in fp32 (precision.trained_weights).
TEST(ComputeCopy, CollectsIntoSumsOfEitherType) {
  ParamStore::Options options;
  options.placement = [](const ParamInfo& info) {
    return Placement{.dtype = info.name == "net.trained" ? at::kBFloat16 : at::kFloat};
  };
  ParamStore store(copied_table(), options);
  ComputeCopy copy(store, at::kBFloat16);
  const CopiedNet net(copy.source("net"));
  copy.refresh();
  for (const double factor : {3.0, 4.0}) {
    ((net.trained.sum() + net.frozen.sum()) * factor).backward();
    copy.collect(store);
    store.touch("net");
  }
  EXPECT_TRUE(at::equal(store.find("net.trained")->value.grad(), at::full({300}, 7, at::kBFloat16)));
  EXPECT_TRUE(at::equal(store.find("net.frozen")->value.grad(), at::full({5}, 7.0f)));
}

TEST(ComputeCopy, LeavesAloneWhatNoPassReached) {
  ParamStore store(copied_table(), frozen_but_one());
  ComputeCopy copy(store, at::kBFloat16);
  copy.collect(store);
  EXPECT_EQ(store.find("net.trained")->value.grad().abs().max().item<float>(), 0);
}

TEST(ComputeCopy, WantsValuesThatAreKeptWhole) {
  ParamStore::Options options;
  options.residency = [](const std::string&) { return Residency{.whole_values = false}; };
  const ParamStore store(copied_table(), options);
  EXPECT_THROW(ComputeCopy(store, at::kBFloat16), tensor::ContractError);
}

}  // namespace
}  // namespace zt::params
