// SPDX-License-Identifier: Apache-2.0
// Linear layers of rows on a CPU, over plain arrays, with what stands before and behind them in a transformer
// in the same pass: y_j = x' W_j^T + b_j (+ residual), x' = LayerNorm(x) + positions or x itself, for up to
// three layers j of one x. Backward computes x' again. Rows are independent: their bits depend neither on the
// batch they are in nor on the threads that run them; gradients of weights are added up in the order of the
// rows. Arithmetic is fp32 whatever the type of the rows, but for forward's products of bf16 rows where the
// CPU multiplies pairs of bf16: it rounds what they multiply to bf16, as autocast does, and adds up in fp32.
#pragma once

#include <array>
#include <cstdint>

#include "nn/internal/bf16.hpp"
#include "nn/internal/panels.hpp"
#include "nn/rows/internal/norm_weights.hpp"

namespace zt::nn::internal {

inline constexpr int64_t kMostLayers = 3;

/// weight (out_width, C), row-major, as in the state dict; both multiples of 16.
struct ProjectionLayer {
  int64_t out_width = 0;
  const float* weight_OC = nullptr;
  const float* bias_O = nullptr;  ///< null: none
};

struct ProjectionWeights {
  int64_t width = 0;  ///< C
  NormWeights norm;   ///< weight_C null: no norm
  /// Row r has positions_FC[r / rows_per_position % frames] added behind the norm; null: none.
  const float* positions_FC = nullptr;
  int64_t frames = 1, rows_per_position = 1;
  int64_t num_layers = 0;
  std::array<ProjectionLayer, kMostLayers> layers;
};

/// The weights in the order in which products read them, layer after layer; made once for all rows and
/// threads.
Panels pack_forward(const ProjectionWeights& weights, Operands operands);
Panels pack_backward(const ProjectionWeights& weights);

template <class Element>
struct ProjectionForward {
  ProjectionWeights weights;
  const Panels* packed = nullptr;     ///< pack_forward; of pairs only for bf16 rows
  const Element* x = nullptr;         ///< (rows, C)
  const Element* residual = nullptr;  ///< (rows, out_width), of a single layer; null: none
  std::array<Element*, kMostLayers> out = {};
};

/// Where gradients of the weights are added. Null: not wanted.
struct ProjectionGradients {
  NormGradients norm;
  struct Layer {
    float *weight_OC = nullptr, *bias_O = nullptr;
  };
  std::array<Layer, kMostLayers> layers;
};

template <class Element>
struct ProjectionBackward {
  ProjectionWeights weights;
  const Panels* packed = nullptr;  ///< pack_backward
  const Element* x = nullptr;      ///< null where neither a norm nor a weight's gradient needs it
  std::array<const Element*, kMostLayers> out_gradients = {};
  Element* x_gradient = nullptr;  ///< null: not wanted
  ProjectionGradients gradients;
};

/// Computes rows [first, last), where has_kernels() (instruction_sets.hpp).
template <class Element>
void project_rows(const ProjectionForward<Element>& call, int64_t first, int64_t last);
template <class Element>
void project_rows_backward(const ProjectionBackward<Element>& call, int64_t first, int64_t last);

}  // namespace zt::nn::internal
