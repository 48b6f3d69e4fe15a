// SPDX-License-Identifier: Apache-2.0
// A piece run in parts against the same piece run whole.
#include "nn/parts.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "nn/recompute.hpp"

namespace zt::nn {
namespace {

using Tensors = std::vector<at::Tensor>;

class PartsTest : public testing::Test {
 protected:
  void SetUp() override {
    at::manual_seed(11);
    before_ = at::get_num_threads();
    at::set_num_threads(2);
    weight_ = at::randn({4, 4}).set_requires_grad(true);
    frozen_ = at::randn({4});
    x_ = at::randn({7, 3, 4}), skip_ = at::randn({7, 3, 4}), shared_ = at::randn({1, 4});
  }
  void TearDown() override { at::set_num_threads(before_); }

  /// Two outputs from a cut input, a shared one, a parameter and a frozen one. An undefined input stays so.
  Tensors piece(const Tensors& cut, const Tensors& shared) const {
    at::Tensor h = at::matmul(cut[0], weight_) + shared[0] * frozen_;
    if (cut[1].defined()) h = h * cut[1];
    EXPECT_FALSE(shared[1].defined());
    return {at::tanh(h), h.square()};
  }

  /// Loss and gradients of x, skip, the shared input and the weight, added to what the weight has.
  struct Found {
    Tensors outputs, gradients;
  };
  Found run(int64_t count, int64_t dim, bool has_skip, bool recomputes = false) {
    const at::AutoGradMode grad_mode(true);
    const auto leaf = [](const at::Tensor& t) { return t.detach().clone().set_requires_grad(true); };
    const Tensors leaves = {leaf(x_), leaf(skip_), leaf(shared_)};
    const auto body = [this, count, dim, has_skip](const Tensors& in) {
      return run_in_parts(count, dim,
                          [this](const Tensors& cut, const Tensors& shared) { return piece(cut, shared); },
                          {in[0], has_skip ? in[1] : at::Tensor()}, {in[2], at::Tensor()});
    };
    const Tensors out = recomputes ? recompute(body, leaves) : body(leaves);
    weight_.mutable_grad() = at::ones_like(weight_);
    torch::autograd::backward({(out[0] * 3 + out[1]).sum()}, {});
    return {{out[0].detach(), out[1].detach()},
            {leaves[0].grad(), has_skip ? leaves[1].grad() : at::Tensor(), leaves[2].grad(), weight_.grad()}};
  }

  int before_ = 1;
  at::Tensor weight_, frozen_, x_, skip_, shared_;
};

void expect_close(const Tensors& got, const Tensors& wanted) {
  for (size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_EQ(got[i].defined(), wanted[i].defined()) << i;
    if (wanted[i].defined()) {
      EXPECT_TRUE(at::allclose(got[i], wanted[i], 1e-5, 1e-5)) << i;
    }
  }
}

TEST_F(PartsTest, OutputsAndGradientsAreThoseOfTheWhole) {
  for (const int64_t dim : {0, 1})
    for (const bool has_skip : {true, false})
      for (const int64_t count : {2, 3}) {
        const Found whole = run(1, dim, has_skip), parts = run(count, dim, has_skip);
        expect_close(parts.outputs, whole.outputs);
        expect_close(parts.gradients, whole.gradients);
      }
}

TEST_F(PartsTest, TheSameBitsEveryTimeAndWhenRecomputed) {
  const Found first = run(3, 0, true);
  for (int i = 0; i < 20; ++i) {
    const Found again = run(3, 0, true, /*recomputes=*/i % 2 == 1);
    for (size_t g = 0; g < first.gradients.size(); ++g)
      EXPECT_TRUE(at::equal(again.gradients[g], first.gradients[g])) << g;
  }
}

TEST_F(PartsTest, RunOnThreadsOfTheirOwnInTheCallersGradientMode) {
  const at::NoGradGuard no_grad;
  std::mutex mutex;
  std::set<std::thread::id> threads;
  const Tensors out = run_in_parts(2, 0,
                                   [&](const Tensors& cut, const Tensors&) {
                                     const std::lock_guard lock(mutex);
                                     threads.insert(std::this_thread::get_id());
                                     EXPECT_FALSE(at::GradMode::is_enabled());
                                     EXPECT_EQ(worthwhile_parts(cut[0], 8), 1);  // no parts of parts
                                     EXPECT_EQ(at::get_num_threads(), 1);
                                     return Tensors{at::matmul(cut[0], weight_)};
                                   },
                                   {x_}, {});
  EXPECT_EQ(threads.size(), 2);
  EXPECT_FALSE(out[0].requires_grad());
  EXPECT_EQ(worthwhile_parts(x_, 8), 2);
  EXPECT_EQ(worthwhile_parts(x_, 1), 1);
}

TEST_F(PartsTest, WhatAPartThrowsReachesTheCaller) {
  const auto throws = [](const Tensors&, const Tensors&) -> Tensors { throw std::runtime_error("part"); };
  EXPECT_THROW(run_in_parts(2, 0, throws, {x_}, {}), std::runtime_error);
  EXPECT_EQ(at::get_num_threads(), 2);
}

}  // namespace
}  // namespace zt::nn
