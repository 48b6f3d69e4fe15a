// SPDX-License-Identifier: Apache-2.0
// Attention and its gradients against libtorch's own formula in double precision.
#include "nn/attention/attention.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "nn/internal/instruction_sets.hpp"

namespace zt::nn {
namespace {

struct Case {
  int64_t batch, queries, keys, heads, head_dim;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << fmt::format("{} x {} queries, {} keys, {} heads of {}", c.batch, c.queries, c.keys, c.heads,
                      c.head_dim);
}

/// Whole vectors and remainders of keys, queries and head widths; one and several blocks of queries.
constexpr Case kCases[] = {{2, 1, 1, 1, 1},     {3, 8, 8, 2, 16},     {2, 24, 24, 2, 40},  {1, 5, 3, 3, 7},
                           {2, 64, 128, 2, 32}, {1, 256, 512, 2, 16}, {1, 17, 301, 1, 80}, {1, 50, 77, 5, 64},
                           {1, 49, 9, 2, 160},  {1, 7, 33, 1, 256}};

/// Inputs and outputs of one attention, in the order q, k, v.
struct Gradients {
  at::Tensor out;
  std::vector<at::Tensor> of_inputs;
};

template <class Attend>
Gradients run(const std::vector<at::Tensor>& inputs, const at::Tensor& out_gradient, const Attend& attend) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.detach().set_requires_grad(true));
  const at::AutoGradMode grad_mode(true);
  const at::Tensor out = attend(leaves[0], leaves[1], leaves[2]);
  return {out.detach(), torch::autograd::grad({out}, leaves, {out_gradient.to(out.scalar_type())})};
}

/// softmax(q k^T / sqrt(D)) v of (N, S, H * D) in double precision.
at::Tensor formula(const at::Tensor& q_NSC, const at::Tensor& k_NTC, const at::Tensor& v_NTC, int64_t heads) {
  const auto by_head = [&](const at::Tensor& x) {
    return x.to(at::kDouble).unflatten(2, {heads, -1}).transpose(1, 2);
  };
  const at::Tensor q = by_head(q_NSC);
  const at::Tensor scores =
      at::matmul(q, by_head(k_NTC).transpose(2, 3)) / std::sqrt(static_cast<double>(q.size(3)));
  return at::matmul(at::softmax(scores, -1), by_head(v_NTC)).transpose(1, 2).flatten(2);
}

double largest_error(const at::Tensor& got, const at::Tensor& wanted) {
  return (got.to(at::kDouble) - wanted.to(at::kDouble)).abs().max().item<double>();
}

void expect_close(const Gradients& got, const Gradients& wanted, double tolerance) {
  EXPECT_LT(largest_error(got.out, wanted.out), tolerance);
  for (size_t i = 0; i < wanted.of_inputs.size(); ++i)
    EXPECT_LT(largest_error(got.of_inputs[i], wanted.of_inputs[i]), tolerance * 4) << "input " << i;
}

class AttentionSizesTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    if (!internal::has_kernels()) GTEST_SKIP() << "this CPU lacks AVX2: libtorch computes";
    at::manual_seed(7);
  }
};

TEST_P(AttentionSizesTest, EqualsTheFormulaAndItsGradients) {
  const auto [n, s, t, heads, d] = GetParam();
  for (const auto& [dtype, tolerance] : {std::pair{at::kFloat, 4e-6}, {at::kBFloat16, 2e-2}}) {
    const std::vector<at::Tensor> inputs = {at::randn({n, s, heads * d}).to(dtype),
                                            at::randn({n, t, heads * d}).to(dtype),
                                            at::randn({n, t, heads * d}).to(dtype)};
    const at::Tensor gradient = at::randn({n, s, heads * d}).to(dtype);
    const auto ours = [&](const auto& q, const auto& k, const auto& v) { return attend(q, k, v, heads); };
    const auto wanted = [&](const auto& q, const auto& k, const auto& v) { return formula(q, k, v, heads); };
    const Gradients got = run(inputs, gradient, ours);
    EXPECT_EQ(got.out.scalar_type(), dtype);
    expect_close(got, run(inputs, gradient, wanted), tolerance);
    const at::NoGradGuard no_grad;
    EXPECT_TRUE(at::equal(got.out, attend(inputs[0], inputs[1], inputs[2], heads)));
  }
}

TEST_P(AttentionSizesTest, FramesOfAPositionLieApart) {
  const auto [n, frames, keys, heads, d] = GetParam();
  const int64_t positions = std::min<int64_t>(keys, 40);
  std::vector<at::Tensor> inputs;
  for (int i = 0; i < 3; ++i) inputs.push_back(at::randn({n, frames, positions, heads * d}));
  const at::Tensor gradient = at::randn({n, frames, positions, heads * d});
  const auto ours = [&](const auto& q, const auto& k, const auto& v) {
    return attend_over_frames(q, k, v, heads);
  };
  const auto wanted = [&](const auto& q, const auto& k, const auto& v) {
    const auto rows = [](const at::Tensor& x) { return x.transpose(1, 2).flatten(0, 1); };
    return formula(rows(q), rows(k), rows(v), heads).unflatten(0, {n, positions}).transpose(1, 2);
  };
  expect_close(run(inputs, gradient, ours), run(inputs, gradient, wanted), 4e-6);
}

INSTANTIATE_TEST_SUITE_P(Attention, AttentionSizesTest, testing::ValuesIn(kCases));

TEST(Attention, AnItemHasTheSameBitsInAnyBatchOnAnyThreads) {
  at::manual_seed(3);
  const at::Tensor q = at::randn({6, 40, 32}), k = at::randn({6, 90, 32}), v = at::randn({6, 90, 32}),
                   gradient = at::randn({6, 40, 32});
  const auto ours = [](const auto& a, const auto& b, const auto& c) { return attend(a, b, c, 2); };
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Gradients together = run({q, k, v}, gradient, ours);
  at::set_num_threads(2);
  for (int64_t i = 0; i < q.size(0); ++i) {
    const auto item = [i](const at::Tensor& x) { return x.narrow(0, i, 1); };
    const Gradients alone = run({item(q), item(k), item(v)}, item(gradient), ours);
    EXPECT_TRUE(at::equal(alone.out, item(together.out)));
    for (size_t j = 0; j < 3; ++j) EXPECT_TRUE(at::equal(alone.of_inputs[j], item(together.of_inputs[j])));
  }
  at::set_num_threads(threads);
}

TEST(Attention, LargeScoresStayFinite) {
  const at::Tensor q = at::full({1, 4, 16}, 100.0), k = at::randn({1, 8, 16}) * 100,
                   v = at::randn({1, 8, 16});
  const at::Tensor out = attend(q, k, v, 1);
  EXPECT_LT(largest_error(out, formula(q, k, v, 1)), 1e-5);
}

TEST(Attention, ANumberThatIsNoneReachesItsRowAlone) {
  at::Tensor q = at::randn({1, 4, 16});
  const at::Tensor k = at::randn({1, 8, 16}), v = at::randn({1, 8, 16});
  q[0][2][5] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor is_nan_S = at::isnan(attend(q, k, v, 2)).any(-1).squeeze(0);
  for (int64_t i = 0; i < 4; ++i) EXPECT_EQ(is_nan_S[i].item<bool>(), i == 2) << i;
}

TEST(Attention, StridedKeysAndHalfPrecision) {
  at::manual_seed(5);
  const at::Tensor qkv = at::randn({2, 12, 3 * 32});
  const auto parts = qkv.chunk(3, 2);
  const at::Tensor wanted = formula(parts[0], parts[1], parts[2], 2);
  EXPECT_LT(largest_error(attend(parts[0], parts[1], parts[2], 2), wanted), 4e-6);
  const auto half = [](const at::Tensor& x) { return x.to(at::kHalf); };
  EXPECT_LT(largest_error(attend(half(parts[0]), half(parts[1]), half(parts[2]), 2), wanted), 1e-2);
}

}  // namespace
}  // namespace zt::nn
