// SPDX-License-Identifier: Apache-2.0
// x + FeedForward(LayerNorm(x)) and its gradients against the formula in double precision.
#include "nn/rows/feed_forward.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "nn/internal/instruction_sets.hpp"
#include "nn/rows/testing.hpp"

namespace zt::nn {
namespace {

using test::relative_error;
using test::Result;
using test::run;

/// x, then the norm's and the layers' weights and biases.
std::vector<at::Tensor> random_inputs(int64_t rows, int64_t width) {
  return {at::randn({rows, width}) * 2 + 0.3,
          at::randn({width}),
          at::randn({width}),
          at::randn({8 * width, width}) * 0.2,
          at::randn({8 * width}),
          at::randn({width, 4 * width}) * 0.1,
          at::randn({width})};
}

at::Tensor add_to(const std::vector<at::Tensor>& inputs) {
  FeedForward layer;
  LayerNorm norm;
  norm.weight_D = inputs[1], norm.bias_D = inputs[2];
  layer.proj.weight_OI = inputs[3], layer.proj.bias_O = inputs[4];
  layer.out.weight_OI = inputs[5], layer.out.bias_O = inputs[6];
  return layer.add_to(inputs[0], norm);
}

at::Tensor formula(const std::vector<at::Tensor>& i) {
  const at::Tensor centred = i[0] - i[0].mean(-1, true);
  const at::Tensor normed = centred / (centred.square().mean(-1, true) + 1e-5).sqrt() * i[1] + i[2];
  const std::vector<at::Tensor> both = (normed.matmul(i[3].t()) + i[4]).chunk(2, -1);
  const at::Tensor gelu = both[1] * (1 + at::erf(both[1] * std::sqrt(0.5))) / 2;
  return i[0] + (both[0] * gelu).matmul(i[5].t()) + i[6];
}

struct Case {
  int64_t rows, width;
};
void PrintTo(const Case& c, std::ostream* out) { *out << fmt::format("{} rows of {}", c.rows, c.width); }

class FeedForwardSizesTest : public testing::TestWithParam<Case> {};

TEST_P(FeedForwardSizesTest, EqualsTheFormulaAndItsGradients) {
  at::manual_seed(11);
  const auto [rows, width] = GetParam();
  for (const auto& [type, tolerance] : {std::pair{at::kFloat, 3e-6}, {at::kBFloat16, 1.2e-2}}) {
    std::vector<at::Tensor> inputs = random_inputs(rows, width);
    for (at::Tensor& input : inputs) input = input.to(type);
    const at::Tensor out_gradient = at::randn({rows, width}).to(type);
    const Result got = run(inputs, out_gradient, type, add_to);
    const Result wanted = run(inputs, out_gradient, at::kDouble, formula);
    EXPECT_EQ(got.out.scalar_type(), type);
    EXPECT_LT(relative_error(got.out, wanted.out), tolerance);
    for (size_t i = 0; i < wanted.gradients.size(); ++i)
      EXPECT_LT(relative_error(got.gradients[i], wanted.gradients[i]), tolerance) << "input " << i;
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(at::equal(got.out, add_to(inputs)));
  }
}

/// Whole tiles and remainders of rows; one and several blocks; whole and half panels of columns; widths that
/// libtorch computes (24, 528).
INSTANTIATE_TEST_SUITE_P(FeedForward, FeedForwardSizesTest,
                         testing::Values(Case{1, 16}, Case{5, 32}, Case{47, 48}, Case{48, 64}, Case{131, 96},
                                         Case{26, 320}, Case{9, 24}, Case{4, 528}));

TEST(FeedForward, FrozenWeightsGetNoGradientAndChangeNone) {
  at::manual_seed(5);
  const std::vector<at::Tensor> inputs = random_inputs(60, 32);
  const at::Tensor out_gradient = at::randn({60, 32});
  const Result all = run(inputs, out_gradient, at::kFloat, add_to);
  const at::Tensor x = inputs[0].clone().set_requires_grad(true);
  std::vector<at::Tensor> frozen = inputs;
  frozen[0] = x;
  const at::AutoGradMode grad_mode(true);
  add_to(frozen).backward(out_gradient);
  EXPECT_TRUE(at::equal(x.grad(), all.gradients[0]));
  for (size_t i = 1; i < frozen.size(); ++i) EXPECT_FALSE(frozen[i].grad().defined());
}

class FeedForwardTypesTest : public testing::TestWithParam<at::ScalarType> {};

TEST_P(FeedForwardTypesTest, ARowHasTheSameBitsInAnyBatchOnAnyThreads) {
  if (!internal::has_kernels()) GTEST_SKIP() << "this CPU lacks AVX2: libtorch computes";
  at::manual_seed(3);
  std::vector<at::Tensor> inputs = random_inputs(200, 32);
  const at::Tensor out_gradient = at::randn({200, 32}), x = inputs[0];
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Result together = run(inputs, out_gradient, GetParam(), add_to);
  at::set_num_threads(2);
  const Result on_two = run(inputs, out_gradient, GetParam(), add_to);
  EXPECT_TRUE(at::equal(on_two.out, together.out));
  EXPECT_TRUE(at::equal(on_two.gradients[0], together.gradients[0]));
  for (size_t i = 1; i < inputs.size(); ++i)
    EXPECT_LT(relative_error(on_two.gradients[i], together.gradients[i].to(at::kDouble)),
              GetParam() == at::kFloat ? 1e-6 : 1e-2);
  for (const int64_t row : {0, 7, 101, 199}) {
    inputs[0] = x.narrow(0, row, 1);
    const Result alone = run(inputs, out_gradient.narrow(0, row, 1), GetParam(), add_to);
    EXPECT_TRUE(at::equal(alone.out, together.out.narrow(0, row, 1)));
    EXPECT_TRUE(at::equal(alone.gradients[0], together.gradients[0].narrow(0, row, 1)));
  }
  at::set_num_threads(threads);
}

INSTANTIATE_TEST_SUITE_P(FeedForward, FeedForwardTypesTest, testing::Values(at::kFloat, at::kBFloat16));

TEST(FeedForward, ANanStaysInItsRow) {
  std::vector<at::Tensor> inputs = random_inputs(50, 32);
  inputs[0][20][3] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor is_nan = add_to(inputs).isnan().any(1);
  EXPECT_TRUE(is_nan[20].item<bool>());
  EXPECT_EQ(is_nan.sum().item<int64_t>(), 1);
}

TEST(FeedForward, RoundsToTheNearestAndKeepsNan) {
  std::vector<at::Tensor> inputs = random_inputs(9, 32);
  inputs[0] = inputs[0].to(at::kBFloat16);
  inputs[5] = at::zeros({32, 128});
  inputs[6][4] = at::full({}, 0x7fffffff, at::kInt).view(at::kFloat);  // rounding up must not carry
  const at::Tensor wanted = (inputs[0].to(at::kFloat) + inputs[6]).to(at::kBFloat16);
  EXPECT_TRUE(at::allclose(add_to(inputs), wanted, 0, 0, /*equal_nan=*/true));
}

TEST(FeedForward, LargeGatesStayFinite) {
  std::vector<at::Tensor> inputs = random_inputs(3, 16);
  inputs[4] = inputs[4] * 1e4;
  const Result got = run(inputs, at::ones({3, 16}), at::kFloat, add_to);
  const Result wanted = run(inputs, at::ones({3, 16}), at::kDouble, formula);
  EXPECT_LT(relative_error(got.out, wanted.out), 1e-5);
  for (size_t i = 0; i < wanted.gradients.size(); ++i)
    EXPECT_LT(relative_error(got.gradients[i], wanted.gradients[i]), 1e-5) << "input " << i;
}

}  // namespace
}  // namespace zt::nn
