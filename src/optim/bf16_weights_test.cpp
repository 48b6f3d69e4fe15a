// SPDX-License-Identifier: Apache-2.0
// Parameters in bf16: with fp32 masters, and alone with updates rounded at random.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "optim/adamw.hpp"
#include "optim/ema.hpp"
#include "optim/gradient_norm.hpp"
#include "optim/internal/bf16_kernels.hpp"
#include "support/param_store.hpp"

namespace zt::optim {
namespace {

using test::gradient;
using test::value;

const std::vector<int64_t> kShape{70, 64};

params::PlacementRule kept_in(at::ScalarType dtype, bool is_8bit) {
  return [=](const params::ParamInfo&) {
    params::Placement place;
    place.dtype = dtype;
    if (is_8bit) place.optimizer_kind = static_cast<int>(StateKind::Blockwise8Bit);
    return place;
  };
}

at::Tensor numbers(uint64_t seed, double scale) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(kShape, generator, at::kFloat).mul_(scale).to(at::kBFloat16);
}

struct Trained {
  Trained(at::ScalarType dtype, bool is_8bit, Bf16Weights weights = Bf16Weights::Master,
          params::Shard shard = {})
      : store(test::make_store({{"p", kShape}}, kept_in(dtype, is_8bit), shard)) {
    store->assign("p", numbers(1, 0.02));
    adamw = std::make_unique<AdamW>(*store, AdamWOptions{.bf16_weights = weights});
    ema = std::make_unique<Ema>(*store, EmaOptions{.decay = 0.9, .warmup = false});
  }
  void train(int steps, double lr = 1e-4) {
    for (int i = 0; i < steps; ++i) {
      gradient(*store, "p").copy_(numbers(100 + static_cast<uint64_t>(i), 0.01));
      store->touch("net");
      adamw->step({.lr = lr, .gradient_scale = 0.7, .ema = ema.get()});
    }
  }
  at::Tensor average() const {
    at::Tensor found;
    ema->visit_state([&](const params::StateTensor& t) { found = t.value.clone(); });
    return found;
  }
  at::Tensor master() const { return adamw->master(0).narrow(0, 0, 70 * 64).view(kShape); }

  std::unique_ptr<params::ParamStore> store;
  std::unique_ptr<AdamW> adamw;
  std::unique_ptr<Ema> ema;
};

class WithMasters : public testing::TestWithParam<bool> {};

TEST_P(WithMasters, TheyAreTheFp32ParametersOfTheSameGradients) {
  Trained bf16(at::kBFloat16, GetParam()), fp32(at::kFloat, GetParam());
  bf16.train(7);
  fp32.train(7);
  EXPECT_TRUE(at::equal(bf16.master(), value(*fp32.store, "p")));
  EXPECT_TRUE(at::equal(value(*bf16.store, "p"), value(*fp32.store, "p").to(at::kBFloat16)));
  EXPECT_TRUE(at::equal(bf16.average(), fp32.average()));
}

INSTANTIATE_TEST_SUITE_P(Moments, WithMasters, testing::Bool(),
                         [](const auto& moments) { return moments.param ? "of8Bits" : "ofFp32"; });

TEST(Bf16Weights, TheNormIsThatOfTheSameNumbersInFp32) {
  Trained bf16(at::kBFloat16, false), fp32(at::kFloat, false);
  for (Trained* run : {&bf16, &fp32}) {
    gradient(*run->store, "p").copy_(numbers(5, 1));
    run->store->touch("net");
  }
  EXPECT_EQ(gradient_norms(*bf16.store).total, gradient_norms(*fp32.store).total);
}

TEST(Bf16Weights, AveragesStandInForThemAndGoAgain) {
  Trained run(at::kBFloat16, false);
  run.train(5, 1e-2);
  const at::Tensor before = value(*run.store, "p").clone(), average = run.average();
  {
    const EmaScope scope(run.ema.get());
    EXPECT_TRUE(at::equal(value(*run.store, "p"), average.to(at::kBFloat16)));
  }
  EXPECT_TRUE(at::equal(value(*run.store, "p"), before));
  EXPECT_TRUE(at::equal(run.average(), average));
}

TEST(Bf16Weights, MastersThatWereLoadedShowInTheWeights) {
  Trained run(at::kBFloat16, false);
  run.adamw->master(0).fill_(0.3F);
  run.adamw->round_masters();
  EXPECT_TRUE(at::equal(value(*run.store, "p"), at::full(kShape, 0.3F).to(at::kBFloat16)));
}

// An update of a hundredth of a step of bf16 is lost by rounding to the nearest. 4,480 elements move by 100
// such updates: the mean is within 4 standard errors (a step's chance outcome has less than a step's
// deviation).
TEST(Bf16Weights, RoundingAtRandomKeepsSmallUpdatesOnAverage) {
  const float step = 0x1.0p-7F;  // of bf16 at 1
  at::Tensor values = at::ones({4480});
  std::vector<uint16_t> kept(4480);
  for (uint32_t update = 0; update < 100; ++update) {
    values.add_(step / 100);
    internal::round_stochastic(4480, update * 977, 0, values.data_ptr<float>(), kept.data());
    internal::widen(4480, kept.data(), values.data_ptr<float>());
  }
  EXPECT_NEAR((values.mean().item<double>() - 1) / step, 1, 4 / std::sqrt(4480.0));
}

TEST(Bf16Weights, RoundingAtRandomIsOneOfTheTwoNeighbours) {
  const at::Tensor values = numbers(3, 1).to(at::kFloat).view({-1}).mul(1.001);
  std::vector<uint16_t> kept(static_cast<size_t>(values.numel()));
  internal::round_stochastic(values.numel(), 11, 5, values.data_ptr<float>(), kept.data());
  const at::Tensor rounded = at::from_blob(kept.data(), {values.numel()}, at::kBFloat16).to(at::kFloat);
  const at::Tensor relative = (rounded - values).abs() / values.abs();
  EXPECT_LT(relative.max().item<double>(), 0x1.0p-7);
}

TEST(Bf16Weights, NearestIsTorchsCast) {
  const at::Tensor values = numbers(4, 3).to(at::kFloat).view({-1}).mul(1.00146484375);  // ties among them
  std::vector<uint16_t> kept(static_cast<size_t>(values.numel()));
  internal::round_nearest(values.numel(), values.data_ptr<float>(), kept.data());
  EXPECT_TRUE(
      at::equal(at::from_blob(kept.data(), {values.numel()}, at::kBFloat16), values.to(at::kBFloat16)));
}

TEST(Bf16Weights, RoundedAtRandomTheyAreTheSameForAnyShards) {
  Trained whole(at::kBFloat16, false, Bf16Weights::Stochastic);
  whole.train(5);
  at::Tensor parts = at::zeros_like(whole.store->segments()[0].values_P);
  for (int64_t rank = 0; rank < 3; ++rank) {
    Trained part(at::kBFloat16, false, Bf16Weights::Stochastic, {rank, 3});
    part.train(5);
    const params::Segment& segment = part.store->segments()[0];
    const params::Range held = params::intersect(segment.part, {0, parts.numel()});
    parts.narrow(0, held.begin, held.size()).copy_(segment.values_S.narrow(0, 0, held.size()));
  }
  EXPECT_TRUE(at::equal(parts, whole.store->segments()[0].values_P));
  EXPECT_FALSE(at::equal(value(*whole.store, "p"), numbers(1, 0.02)));
}

}  // namespace
}  // namespace zt::optim
