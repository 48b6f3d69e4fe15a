// SPDX-License-Identifier: Apache-2.0
// See projection_kernel.hpp.
#include "nn/rows/internal/projection_kernel.hpp"

#include <algorithm>
#include <type_traits>

#include "nn/internal/instruction_sets.hpp"
#include "nn/internal/tiles.hpp"
#include "nn/rows/internal/row_norm.hpp"

namespace zt::nn::internal {
namespace {

using Weights = ProjectionWeights;

constexpr int64_t kBlockRows = 8 * kTileRows;  ///< worked on at once

/// Adds the positions' rows to rows `at` and on.
ZT_INLINE void add_positions(const Weights& w, int64_t at, int64_t rows, float* into) {
  if (!w.positions_FC) return;
  for (int64_t i = 0; i < rows; ++i, into += w.width) {
    const float* const position = w.positions_FC + (at + i) / w.rows_per_position % w.frames * w.width;
    for (int64_t c = 0; c < w.width; ++c) into[c] += position[c];
  }
}

/// The bias and the residual of one vector.
template <int W, class Element>
ZT_INLINE void start_sum(const ProjectionLayer& layer, const Element* residual, int64_t column,
                         Floats<W>& into) {
  into = Floats<W>{};
  if (layer.bias_O) load<W>(into, layer.bias_O + column);
  if (!residual) return;
  Floats<W> v;
  float wide[W];
  widen(residual + column, W, wide);
  load<W>(v, wide);
  into += v;
}

/// NV * W columns of a layer's output.
template <int W, int NV, class Operand, class Element>
ZT_INLINE void project_panel(const Weights& w, const ProjectionLayer& layer, const Operand* input,
                             const Operand* panel, int64_t column, int64_t rows, const Element* residual,
                             Element* out) {
  over_tiles(
      rows, [&]<int M>(int64_t row) __attribute__((always_inline)) {
        Floats<W> sums[M][NV];
        for (int i = 0; i < M; ++i) {
          const Element* const beside = residual ? residual + (row + i) * layer.out_width : nullptr;
          for (int n = 0; n < NV; ++n) start_sum<W>(layer, beside, column + n * W, sums[i][n]);
        }
        accumulate<W, M, NV>(sums, row_factor(input + row * w.width, w.width), panel, NV * W, w.width);
        for (int i = 0; i < M; ++i)
          for (int n = 0; n < NV; ++n)
            store<W>(out + (row + i) * layer.out_width + column + n * W, sums[i][n]);
      });
}

/// A block's x', (rows, C); Operand: what products multiply.
template <class Operand>
struct InputRoom {
  explicit InputRoom(int64_t count)
      : fp32(static_cast<size_t>(count)),
        operands(std::is_same_v<Operand, float> ? 0 : static_cast<size_t>(count)) {}
  std::vector<float> fp32;
  std::vector<Operand> operands;  ///< fp32 rounded
};

/// x' of a block, as products multiply it: x itself, or made in `room`.
template <int W, class Operand, class Element>
ZT_INLINE const Operand* prepare_input(const Weights& w, const Element* x, int64_t at, int64_t rows,
                                       InputRoom<Operand>& room) {
  if constexpr (std::is_same_v<Operand, Element>)
    if (!w.norm.weight_C && !w.positions_FC) return x + at * w.width;
  float* const input = room.fp32.data();
  widen(x + at * w.width, rows * w.width, input);
  for (int64_t i = 0; w.norm.weight_C && i < rows; ++i) {
    float* const row = input + i * w.width;
    standardize<W>(row, w.width, w.norm.eps);
    scale_and_shift<W>(row, w.norm, w.width, row);
  }
  add_positions(w, at, rows, input);
  if constexpr (std::is_same_v<Operand, float>) {
    return input;
  } else {
    Operand* const operands = room.operands.data();
    for (int64_t i = 0; i < rows * w.width; i += W) {
      Floats<W> v;
      load<W>(v, input + i);
      store_operand<W>(operands + i, v);
    }
    return operands;
  }
}

template <int W, class Operand, class Element>
ZT_INLINE void run_rows(const ProjectionForward<Element>& call, int64_t first, int64_t last) {
  const Weights& w = call.weights;
  const int64_t block = std::min(kBlockRows, last - first);
  InputRoom<Operand> room(block * w.width);
  for (int64_t at = first; at < last; at += block) {
    const int64_t rows = std::min(block, last - at);
    const Operand* const input = prepare_input<W>(w, call.x, at, rows, room);
    const Operand* panel = call.packed->template data<Operand>();
    for (int64_t j = 0; j < w.num_layers; ++j) {
      const ProjectionLayer& layer = w.layers[static_cast<size_t>(j)];
      const int64_t begin = at * layer.out_width;
      const Element* const residual = call.residual ? call.residual + begin : nullptr;
      Element* const out = call.out[static_cast<size_t>(j)] + begin;
      int64_t column = 0;
      for (; column + 2 * W <= layer.out_width; column += 2 * W, panel += 2 * W * w.width)
        project_panel<W, 2>(w, layer, input, panel, column, rows, residual, out);
      if (column == layer.out_width) continue;
      project_panel<W, 1>(w, layer, input, panel, column, rows, residual, out);
      panel += W * w.width;
    }
  }
}

/// A block's arrays in backward, (rows, C) each.
struct BackwardRoom {
  BackwardRoom(const Weights& w, int64_t block) : memory(static_cast<size_t>(3 * block * w.width)) {
    standard = memory.data(), input = standard + block * w.width, input_gradient = input + block * w.width;
    for (int64_t j = 0; j < w.num_layers; ++j)
      widest = std::max(widest, w.layers[static_cast<size_t>(j)].out_width);
    out_gradient.resize(static_cast<size_t>(block * widest));
  }
  std::vector<float> memory, out_gradient;
  float *standard, *input, *input_gradient;
  int64_t widest = 0;
  float inverse_deviations[kBlockRows];
};

/// x' of a block, and what leads to it.
template <int W, class Element>
ZT_INLINE void compute_again(const ProjectionBackward<Element>& call, int64_t at, int64_t rows,
                             BackwardRoom& room) {
  const Weights& w = call.weights;
  if (!call.x) return;
  widen(call.x + at * w.width, rows * w.width, w.norm.weight_C ? room.standard : room.input);
  for (int64_t i = 0; w.norm.weight_C && i < rows; ++i) {
    float* const row = room.standard + i * w.width;
    room.inverse_deviations[i] = standardize<W>(row, w.width, w.norm.eps);
    scale_and_shift<W>(row, w.norm, w.width, room.input + i * w.width);
  }
  add_positions(w, at, rows, room.input);
}

/// Writes the gradient of x' and adds to those of the layers.
template <int W, class Element>
ZT_INLINE void layers_backward(const ProjectionBackward<Element>& call, int64_t at, int64_t rows,
                               BackwardRoom& room) {
  const Weights& w = call.weights;
  const float* panels = call.packed->fp32.data();
  for (size_t j = 0; j < static_cast<size_t>(w.num_layers); ++j) {
    const int64_t width = w.layers[j].out_width;
    float* const gradient = room.out_gradient.data();
    widen(call.out_gradients[j] + at * width, rows * width, gradient);
    const auto& into = call.gradients.layers[j];
    if (into.weight_OC)
      multiply<W>(width, w.width, rows, {gradient, 1, width}, room.input, into.weight_OC, true);
    if (into.bias_O) add_rows(gradient, rows, width, into.bias_O);
    if (!call.x_gradient && !call.gradients.norm.weight_C) continue;
    multiply_panels<W>(rows, w.width, width, row_factor(gradient, width), panels, room.input_gradient, j > 0);
    panels += width * w.width;
  }
}

template <int W, class Element>
ZT_INLINE void run_rows(const ProjectionBackward<Element>& call, int64_t first, int64_t last) {
  const Weights& w = call.weights;
  const int64_t block = std::min(kBlockRows, last - first), width = w.width;
  BackwardRoom room(w, block);
  for (int64_t at = first; at < last; at += block) {
    const int64_t rows = std::min(block, last - at);
    compute_again<W>(call, at, rows, room);
    layers_backward<W>(call, at, rows, room);
    if (call.gradients.norm.weight_C) {
      add_products(room.input_gradient, room.standard, rows, width, call.gradients.norm.weight_C);
      add_rows(room.input_gradient, rows, width, call.gradients.norm.bias_C);
    }
    if (!call.x_gradient) continue;
    const float* gradient = room.input_gradient;
    if (w.norm.weight_C) {
      std::fill_n(room.input, rows * width, 0.0f);
      for (int64_t i = 0; i < rows; ++i)
        norm_backward<W>(w.norm, width, room.standard + i * width, room.input_gradient + i * width,
                         room.inverse_deviations[i], room.input + i * width);
      gradient = room.input;
    }
    for (int64_t i = 0; i < rows * width; ++i) put(call.x_gradient[at * width + i], gradient[i]);
  }
}

/// Of all layers.
size_t count_weights(const Weights& w) {
  int64_t columns = 0;
  for (int64_t j = 0; j < w.num_layers; ++j) columns += w.layers[static_cast<size_t>(j)].out_width;
  return static_cast<size_t>(columns * w.width);
}

}  // namespace

Panels pack_forward(const Weights& w, Operands operands) {
  return make_panels(operands, count_weights(w), [&](auto* at) {
    run_widest([&]<int W>() __attribute__((always_inline)) {
      for (size_t j = 0; j < static_cast<size_t>(w.num_layers); ++j)
        at = pack_transposed<W>(w.layers[j].weight_OC, w.width, w.layers[j].out_width, at);
    });
  });
}

Panels pack_backward(const Weights& w) {
  Panels panels;
  panels.fp32.resize(count_weights(w));
  float* at = panels.fp32.data();
  for (size_t j = 0; j < static_cast<size_t>(w.num_layers); ++j)
    at = pack_panels(w.layers[j].weight_OC, w.width, 1, w.layers[j].out_width, w.width, 2 * vector_lanes(),
                     at);
  return panels;
}

template <class Element>
void project_rows(const ProjectionForward<Element>& call, int64_t first, int64_t last) {
  run_widest([&]<int W>() __attribute__((always_inline)) {
    if constexpr (W == 16 && std::is_same_v<Element, Bf16>)
      if (call.packed->are_pairs()) return run_rows<W, Bf16>(call, first, last);
    run_rows<W, float>(call, first, last);
  });
}
template <class Element>
void project_rows_backward(const ProjectionBackward<Element>& call, int64_t first, int64_t last) {
  run_widest([&]<int W>() __attribute__((always_inline)) { run_rows<W>(call, first, last); });
}

template void project_rows(const ProjectionForward<float>&, int64_t, int64_t);
template void project_rows(const ProjectionForward<Bf16>&, int64_t, int64_t);
template void project_rows_backward(const ProjectionBackward<float>&, int64_t, int64_t);
template void project_rows_backward(const ProjectionBackward<Bf16>&, int64_t, int64_t);

}  // namespace zt::nn::internal
