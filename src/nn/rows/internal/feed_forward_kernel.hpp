// SPDX-License-Identifier: Apache-2.0
// x + FeedForward(LayerNorm(x)) of feed_forward.hpp and its gradients on a CPU, over plain arrays: one pass
// over the rows, a block of them at a time, whose hidden values never leave the cache. Nothing but x is kept
// for backward, which computes the block again. Rows are independent: their bits depend neither on the batch
// they are in nor on the threads that run them; gradients of weights are added up in the order of the rows.
// Arithmetic is fp32 whatever the type of the rows, but for forward's products of bf16 rows where the CPU
// multiplies pairs of bf16: it rounds what they multiply to bf16, as autocast does, and adds up in fp32.
#pragma once

#include <cstdint>

#include "nn/internal/bf16.hpp"
#include "nn/internal/panels.hpp"
#include "nn/rows/internal/norm_weights.hpp"

namespace zt::nn::internal {

/// Row-major, as in the state dict. C: width, H: hidden width; both multiples of 16.
struct FeedForwardWeights {
  int64_t width = 0, hidden = 0;
  NormWeights norm;
  const float* proj_weight_GC = nullptr;  ///< G = 2 H rows: values, then gates
  const float* proj_bias_G = nullptr;
  const float* out_weight_CH = nullptr;
  const float* out_bias_C = nullptr;
};

/// Where gradients of the weights are added; all or none.
struct FeedForwardGradients {
  NormGradients norm;
  float *proj_weight_GC = nullptr, *proj_bias_G = nullptr, *out_weight_CH = nullptr, *out_bias_C = nullptr;
};

/// The weights in the order in which products read them; made once for all rows and threads.
Panels pack_forward(const FeedForwardWeights& weights, Operands operands);
Panels pack_backward(const FeedForwardWeights& weights);

template <class Element>
struct FeedForwardForward {
  FeedForwardWeights weights;
  const Panels* packed = nullptr;  ///< pack_forward; of pairs only for bf16 rows
  const Element* x = nullptr;      ///< (rows, C)
  Element* out = nullptr;          ///< (rows, C)
};

template <class Element>
struct FeedForwardBackward {
  FeedForwardWeights weights;
  const Panels *packed = nullptr, *packed_backward = nullptr;  ///< both fp32
  const Element *x = nullptr, *out_gradient = nullptr;
  Element* x_gradient = nullptr;
  FeedForwardGradients gradients;
};

/// Computes rows [first, last), where has_kernels() (instruction_sets.hpp).
template <class Element>
void feed_forward(const FeedForwardForward<Element>& call, int64_t first, int64_t last);
template <class Element>
void feed_forward_backward(const FeedForwardBackward<Element>& call, int64_t first, int64_t last);

}  // namespace zt::nn::internal
