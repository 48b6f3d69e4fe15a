// SPDX-License-Identifier: Apache-2.0
// EMA, gradient norms and the loss scaler.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "optim/ema.hpp"
#include "optim/gradient_norm.hpp"
#include "optim/loss_scaler.hpp"
#include "support/param_store.hpp"

namespace zt::optim {
namespace {

using test::gradient;
using test::value;

TEST(Ema, WarmsUpFromSmallDecays) {
  EXPECT_DOUBLE_EQ(ema_decay({.decay = 0.999, .warmup = true}, 0), 0.1);
  EXPECT_DOUBLE_EQ(ema_decay({.decay = 0.999, .warmup = true}, 90), 0.91);
  EXPECT_DOUBLE_EQ(ema_decay({.decay = 0.999, .warmup = true}, 100'000), 0.999);
  EXPECT_DOUBLE_EQ(ema_decay({.decay = 0.999, .warmup = false}, 0), 0.999);
}

TEST(Ema, MovesByOneMinusDecay) {
  const auto store = test::make_store({{"p", {3}}});
  store->assign("p", at::zeros({3}));
  Ema ema(*store, {.decay = 0.75, .warmup = false});
  store->assign("p", at::ones({3}));

  ema.update();  // 0 -> 1/4
  ema.update();  // 1/4 -> 7/16

  const EmaScope scope(&ema);
  EXPECT_TRUE(at::equal(value(*store, "p"), at::full({3}, 7.0 / 16)));
}

TEST(Ema, ScopeExchangesAndPutsBackExactly) {
  const auto store = test::make_store({{"p", {300}}});
  Ema ema(*store, {});
  store->assign("p", at::full({300}, 5.0));

  {
    const EmaScope scope(&ema);
    EXPECT_FALSE(at::equal(value(*store, "p"), at::full({300}, 5.0)));
  }

  EXPECT_TRUE(at::equal(value(*store, "p"), at::full({300}, 5.0)));
  const EmaScope none(nullptr);
}

TEST(Ema, ResetStartsFromThePresentValues) {
  const auto store = test::make_store({{"p", {4}}});
  Ema ema(*store, {});
  ema.update();
  store->assign("p", at::full({4}, 2.0));

  ema.reset();

  EXPECT_EQ(ema.num_updates(), 0);
  ema.visit_state([](const params::StateTensor& t) {
    EXPECT_EQ(t.name, "ema/p");
    EXPECT_TRUE(at::equal(t.value, at::full({4}, 2.0)));
  });
}

TEST(Ema, RefusesACheckpointWithoutItsCounter) {
  const auto store = test::make_store({{"p", {4}}});
  Ema ema(*store, {});

  EXPECT_EQ(ema.set_scalars({}).error().code, ErrorCode::Corrupt);
  ASSERT_TRUE(ema.set_scalars({{"ema.num_updates", int64_t{12}}}));
  EXPECT_EQ(ema.num_updates(), 12);
}

TEST(GradientNorm, TreePairsFromTheLeft) {
  const std::vector<double> v = {1, 1e16, -1e16, 1, 3};

  // ((1 + 1e16) + (-1e16 + 1)) + 3: 1e16 + 1 rounds to 1e16, -1e16 + 1 is exact in fp64.
  EXPECT_EQ(tree_sum(v), ((1 + 1e16) + (-1e16 + 1)) + 3);
  EXPECT_EQ(tree_sum({}), 0);
}

TEST(GradientNorm, NamesModulesByNetworkAndBlock) {
  EXPECT_EQ(module_of("denoising_unet.down_blocks.0.resnets.1.conv1.weight"), "denoising_unet.down_blocks.0");
  EXPECT_EQ(module_of("denoising_unet.mid_block.resnets.1.conv1.weight"), "denoising_unet.mid_block");
  EXPECT_EQ(module_of("pose_guider.conv_in.weight"), "pose_guider.conv_in");
  EXPECT_EQ(module_of("net.weight"), "net");
  EXPECT_EQ(module_of("weight"), "weight");
}

TEST(GradientNorm, IsTheL2NormOfTouchedGroups) {
  const auto store =
      test::make_store({{"net.a.weight", {50, 40}}, {"net.b.weight", {7}}, {"x.c", {9}, "x", "x"}});
  test::fill_gradients(*store, {"net"}, 1);
  gradient(*store, "x.c").fill_(100);  // not touched

  const GradientNorms norms = gradient_norms(*store, 0.5);

  const at::Tensor a = gradient(*store, "net.a.weight").to(at::kDouble).flatten();
  const at::Tensor b = gradient(*store, "net.b.weight").to(at::kDouble);
  EXPECT_NEAR(norms.total, 0.5 * at::cat({a, b}).norm().item<double>(), 1e-12);
  EXPECT_NEAR(norms.by_module.at("net.a"), 0.5 * a.norm().item<double>(), 1e-12);
  EXPECT_EQ(norms.by_module.count("x"), 0u);
  EXPECT_TRUE(norms.is_finite());
}

TEST(GradientNorm, HasTheSameBitsForAnyThreadsAndUnits) {
  const auto one = test::make_store({{"n.a", {300, 300}}, {"n.b", {77}}, {"n.c", {5000}}});
  const auto cut = test::make_store({{"n.a", {300, 300}, "u1"}, {"n.b", {77}, "u2"}, {"n.c", {5000}, "u1"}});
  test::fill_gradients(*one, {"net"}, 3);
  test::fill_gradients(*cut, {"net"}, 3);
  const int before = at::get_num_threads();

  at::set_num_threads(1);
  const double single = gradient_norms(*one).total;
  at::set_num_threads(3);
  const double several = gradient_norms(*cut).total;
  at::set_num_threads(before);

  EXPECT_EQ(single, several);
}

TEST(GradientNorm, NamesTheFirstGradientThatIsNotFinite) {
  const auto store = test::make_store({{"n.a", {300}}, {"n.b", {300}}, {"n.c", {300}}});
  test::fill_gradients(*store, {"net"}, 1);
  gradient(*store, "n.c")[3] = std::numeric_limits<float>::quiet_NaN();
  gradient(*store, "n.b")[299] = std::numeric_limits<float>::infinity();

  const GradientNorms norms = gradient_norms(*store);

  EXPECT_EQ(norms.first_nonfinite, "n.b");
  EXPECT_FALSE(norms.is_finite());
  EXPECT_FALSE(std::isfinite(norms.total));
  EXPECT_EQ(count_nonfinite(*store), 2);
}

TEST(GradientNorm, ClipsAsClipGradNormDoes) {
  EXPECT_DOUBLE_EQ(clip_coefficient(4, 1), 1 / 4.000001);
  EXPECT_DOUBLE_EQ(clip_coefficient(0.5, 1), 1);
  EXPECT_DOUBLE_EQ(clip_coefficient(4, 0), 1);
}

TEST(LossScaler, HalvesOnOverflowAndDoublesAfterAnInterval) {
  LossScaler scaler({.first_scale = 1024, .growth_interval = 3});

  EXPECT_FALSE(scaler.update(false));
  EXPECT_EQ(scaler.scale(), 512);
  EXPECT_TRUE(scaler.update(true));
  EXPECT_TRUE(scaler.update(true));
  EXPECT_EQ(scaler.scale(), 512);
  EXPECT_TRUE(scaler.update(true));
  EXPECT_EQ(scaler.scale(), 1024);
}

TEST(LossScaler, StopsFallingAtTheLeastScale) {
  LossScaler scaler({.first_scale = 2, .least_scale = 1});

  scaler.update(false);
  scaler.update(false);

  EXPECT_EQ(scaler.scale(), 1);
}

TEST(LossScaler, GoesOnFromItsStoredState) {
  LossScaler first({.growth_interval = 3}), second({.growth_interval = 3});
  first.update(false);
  first.update(true);
  first.update(true);

  ASSERT_TRUE(second.set_scalars(first.scalars()));
  first.update(true);
  second.update(true);

  EXPECT_EQ(second.scale(), first.scale());
  EXPECT_EQ(second.scale(), 65536);
  EXPECT_EQ(second.set_scalars({{"scaler.scale", -1.0}, {"scaler.good_steps", int64_t{0}}}).error().code,
            ErrorCode::Corrupt);
}

}  // namespace
}  // namespace zt::optim
