// SPDX-License-Identifier: Apache-2.0
// project and project_onto and their gradients against the formulas in double precision.
#include "nn/rows/projection.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <vector>

#include "nn/internal/instruction_sets.hpp"
#include "nn/rows/testing.hpp"
#include "tensor/autocast.hpp"

namespace zt::nn {
namespace {

using test::relative_error;
using test::Result;
using test::run;

struct Case {
  int64_t frames, positions, in_width, out_width;
  bool has_norm, has_positions, has_bias;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << fmt::format("{} frames of {} positions, {} -> {}{}{}{}", c.frames, c.positions, c.in_width,
                      c.out_width, c.has_norm ? ", norm" : "", c.has_positions ? ", positions" : "",
                      c.has_bias ? ", bias" : "");
}

/// x, then the norm's weight and bias, then weight and bias of three layers, then a residual.
std::vector<at::Tensor> random_inputs(const Case& c) {
  std::vector<at::Tensor> inputs = {at::randn({2, c.frames, c.positions, c.in_width}) * 2 + 0.3,
                                    at::randn({c.in_width}), at::randn({c.in_width})};
  for (int i = 0; i < 3; ++i) {
    inputs.push_back(at::randn({c.out_width + 16 * i, c.in_width}) * 0.2);
    inputs.push_back(at::randn({c.out_width + 16 * i}));
  }
  inputs.push_back(at::randn({2, c.frames, c.positions, c.out_width}));
  return inputs;
}

Linear layer_of(const std::vector<at::Tensor>& inputs, size_t i, bool has_bias) {
  Linear layer;
  layer.weight_OI = inputs[3 + 2 * i];
  if (has_bias) layer.bias_O = inputs[4 + 2 * i];
  return layer;
}

/// All outputs as one: the three projections and what is added to the residual.
at::Tensor ours(const std::vector<at::Tensor>& inputs, const Case& c, const at::Tensor& positions) {
  LayerNorm norm;
  norm.weight_D = inputs[1], norm.bias_D = inputs[2];
  const Linear first = layer_of(inputs, 0, c.has_bias), second = layer_of(inputs, 1, c.has_bias),
               third = layer_of(inputs, 2, c.has_bias);
  std::vector<at::Tensor> out =
      project({inputs[0], c.has_norm ? &norm : nullptr, c.has_positions ? positions : at::Tensor()},
              {&first, &second, &third});
  out.push_back(project_onto(inputs[9], inputs[0], first));
  return at::cat(out, -1);
}

at::Tensor formula(const std::vector<at::Tensor>& i, const Case& c, const at::Tensor& positions) {
  const at::Tensor centred = i[0] - i[0].mean(-1, true);
  at::Tensor x = i[0];
  if (c.has_norm) x = centred / (centred.square().mean(-1, true) + 1e-5).sqrt() * i[1] + i[2];
  if (c.has_positions) x = x + positions;
  std::vector<at::Tensor> out;
  const auto linear = [&](const at::Tensor& from, size_t j) {
    const at::Tensor y = from.matmul(i[3 + 2 * j].t());
    return c.has_bias ? y + i[4 + 2 * j] : y;
  };
  for (size_t j = 0; j < 3; ++j) out.push_back(linear(x, j));
  out.push_back(i[9] + linear(i[0], 0));
  return at::cat(out, -1);
}

class ProjectionSizesTest : public testing::TestWithParam<Case> {};

TEST_P(ProjectionSizesTest, EqualsTheFormulaAndItsGradients) {
  at::manual_seed(11);
  const Case c = GetParam();
  for (const auto& [type, tolerance] : {std::pair{at::kFloat, 3e-6}, {at::kBFloat16, 1.2e-2}}) {
    std::vector<at::Tensor> inputs = random_inputs(c);
    for (at::Tensor& input : inputs) input = input.to(type);
    const at::Tensor positions = at::randn({1, c.frames, 1, c.in_width}).to(type);
    const auto with = [&](const auto& layers, at::ScalarType of_type) {
      return [&layers, &c, rows = positions.to(of_type)](const std::vector<at::Tensor>& leaves) {
        return layers(leaves, c, rows);
      };
    };
    const at::Tensor out_gradient = at::randn(formula(inputs, c, positions).sizes()).to(type);
    const Result got = run(inputs, out_gradient, type, with(ours, type));
    const Result wanted = run(inputs, out_gradient, at::kDouble, with(formula, at::kDouble));
    EXPECT_EQ(got.out.scalar_type(), type);
    EXPECT_LT(relative_error(got.out, wanted.out), tolerance);
    for (size_t i = 0; i < wanted.gradients.size(); ++i) {
      ASSERT_EQ(got.gradients[i].defined(), wanted.gradients[i].defined()) << "input " << i;
      if (!wanted.gradients[i].defined()) continue;
      EXPECT_LT(relative_error(got.gradients[i], wanted.gradients[i]), tolerance) << "input " << i;
    }
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(at::equal(got.out, ours(inputs, c, positions)));
  }
}

/// One and several blocks of rows and what is left of them; whole and half panels; widths that libtorch
/// computes (24).
INSTANTIATE_TEST_SUITE_P(
    Projection, ProjectionSizesTest,
    testing::Values(Case{1, 1, 16, 16, true, true, true}, Case{3, 7, 32, 32, true, true, false},
                    Case{4, 13, 48, 96, true, false, true}, Case{2, 50, 96, 48, false, true, false},
                    Case{5, 9, 320, 64, false, false, true}, Case{2, 3, 24, 24, true, true, true}));

TEST(Projection, FrozenWeightsGetNoGradientAndChangeNone) {
  at::manual_seed(5);
  const Case c{2, 30, 32, 32, true, true, true};
  std::vector<at::Tensor> inputs = random_inputs(c);
  const at::Tensor positions = at::randn({1, c.frames, 1, c.in_width});
  const auto layers = [&](const std::vector<at::Tensor>& leaves) { return ours(leaves, c, positions); };
  const at::Tensor out_gradient = at::randn(layers(inputs).sizes());
  const Result all = run(inputs, out_gradient, at::kFloat, layers);
  inputs[0] = inputs[0].clone().set_requires_grad(true);
  const at::AutoGradMode grad_mode(true);
  layers(inputs).backward(out_gradient);
  EXPECT_TRUE(at::equal(inputs[0].grad(), all.gradients[0]));
  for (size_t i = 1; i < inputs.size(); ++i) EXPECT_FALSE(inputs[i].grad().defined());
}

TEST(Projection, WeightsOfAFrozenInputGetTheirGradients) {
  at::manual_seed(6);
  const Case c{2, 30, 32, 32, true, true, true};
  std::vector<at::Tensor> inputs = random_inputs(c);
  const at::Tensor positions = at::randn({1, c.frames, 1, c.in_width});
  const auto layers = [&](const std::vector<at::Tensor>& leaves) { return ours(leaves, c, positions); };
  const at::Tensor out_gradient = at::randn(layers(inputs).sizes());
  const Result all = run(inputs, out_gradient, at::kFloat, layers);
  for (size_t i = 1; i < inputs.size(); ++i) inputs[i].set_requires_grad(true);
  const at::AutoGradMode grad_mode(true);
  layers(inputs).backward(out_gradient);
  for (size_t i = 1; i < inputs.size(); ++i) EXPECT_TRUE(at::equal(inputs[i].grad(), all.gradients[i])) << i;
}

class ProjectionTypesTest : public testing::TestWithParam<at::ScalarType> {};

TEST_P(ProjectionTypesTest, ARowHasTheSameBitsInAnyBatchOnAnyThreads) {
  if (!internal::has_kernels()) GTEST_SKIP() << "this CPU lacks AVX2: libtorch computes";
  at::manual_seed(3);
  const Case c{2, 100, 32, 32, true, false, true};
  std::vector<at::Tensor> inputs = random_inputs(c);
  const auto layers = [&](const std::vector<at::Tensor>& leaves) { return ours(leaves, c, {}); };
  const at::Tensor out_gradient = at::randn(layers(inputs).sizes());
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Result together = run(inputs, out_gradient, GetParam(), layers);
  at::set_num_threads(2);
  const Result on_two = run(inputs, out_gradient, GetParam(), layers);
  EXPECT_TRUE(at::equal(on_two.out, together.out));
  EXPECT_TRUE(at::equal(on_two.gradients[0], together.gradients[0]));
  const at::Tensor x = inputs[0], residual = inputs[9];
  for (const int64_t position : {0, 7, 99}) {
    const auto at_position = [&](const at::Tensor& all) { return all.narrow(2, position, 1).contiguous(); };
    inputs[0] = at_position(x), inputs[9] = at_position(residual);
    const Result alone = run(inputs, at_position(out_gradient), GetParam(), layers);
    EXPECT_TRUE(at::equal(alone.out, at_position(together.out)));
    EXPECT_TRUE(at::equal(alone.gradients[0], at_position(together.gradients[0])));
  }
  at::set_num_threads(threads);
}

INSTANTIATE_TEST_SUITE_P(Projection, ProjectionTypesTest, testing::Values(at::kFloat, at::kBFloat16));

TEST(Projection, RoundsToTheNearestAndKeepsNan) {
  at::manual_seed(2);
  Linear layer;
  layer.weight_OI = at::eye(32), layer.bias_O = at::randn({32});
  layer.bias_O[4] = at::full({}, 0x7fffffff, at::kInt).view(at::kFloat);  // rounding up must not carry
  const at::Tensor x = at::randn({7, 32}).to(at::kBFloat16);
  const at::Tensor wanted = (x.to(at::kFloat) + layer.bias_O).to(at::kBFloat16);
  EXPECT_TRUE(at::allclose(project({x}, {&layer})[0], wanted, 0, 0, /*equal_nan=*/true));
}

TEST(Projection, AutocastGivesItsType) {
  const Case c{1, 4, 32, 32, true, false, true};
  const std::vector<at::Tensor> inputs = random_inputs(c);
  const Linear layer = layer_of(inputs, 0, true);
  const tensor::AutocastGuard autocast(at::kCPU, {.enabled = true, .dtype = at::kBFloat16});
  EXPECT_EQ(project({inputs[0]}, {&layer})[0].scalar_type(), at::kBFloat16);
  EXPECT_EQ(project_onto(inputs[9], inputs[0], layer).scalar_type(), at::kFloat);
}

}  // namespace
}  // namespace zt::nn
