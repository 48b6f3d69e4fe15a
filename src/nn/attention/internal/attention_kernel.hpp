// SPDX-License-Identifier: Apache-2.0
// softmax(q k^T / sqrt(D)) v and its gradients on a CPU, over plain arrays. Made for what video models ask
// most: few tokens, narrow heads, many (picture, head) pairs, tokens that lie apart in memory (frames of one
// position). A pair is a job; jobs are independent, so their bits depend neither on the batch they are in nor
// on the threads that run them. Arithmetic is fp32 whatever the elements are, but for forward's products of
// bf16 where the CPU multiplies pairs of bf16: probabilities are rounded to bf16 before they weigh values,
// sums are fp32. Backward computes the probabilities again from each row's log-sum-exp (Dao et al. 2022,
// FlashAttention, algorithm 4).
#pragma once

#include <cstdint>

#include "nn/internal/bf16.hpp"

namespace zt::nn::internal {

/// Sizes of one attention: `outer` x `inner` batch, S queries, T keys, H heads of D numbers.
struct AttentionSizes {
  int64_t outer = 1, inner = 1, heads = 1, queries = 1, keys = 1, head_dim = 1;
  float scale = 1;  ///< of the products q k^T

  int64_t jobs() const { return outer * inner * heads; }
};

/// Tokens (outer, inner, token, H * D); the last dimension is contiguous, the others have these strides, in
/// elements.
template <class Element>
struct TokenArray {
  Element* data = nullptr;
  int64_t outer = 0, inner = 0, token = 0;
};

template <class Element>
struct AttentionForward {
  AttentionSizes sizes;
  TokenArray<const Element> q, k, v;
  TokenArray<Element> out;
  float* logsumexp = nullptr;  ///< (jobs, S); null where no gradients will be asked for
};

template <class Element>
struct AttentionBackward {
  AttentionSizes sizes;
  TokenArray<const Element> q, k, v, out, out_gradient;
  const float* logsumexp = nullptr;  ///< from forward
  TokenArray<Element> q_gradient, k_gradient, v_gradient;
};

/// Runs jobs [first, last) of sizes.jobs(), where has_kernels() (instruction_sets.hpp); job = (outer * inner
/// + inner index) * heads + head.
template <class Element>
void attention_forward(const AttentionForward<Element>& call, int64_t first, int64_t last);
template <class Element>
void attention_backward(const AttentionBackward<Element>& call, int64_t first, int64_t last);

}  // namespace zt::nn::internal
