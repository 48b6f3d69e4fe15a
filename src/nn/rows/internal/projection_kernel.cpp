// SPDX-License-Identifier: Apache-2.0
// See projection_kernel.hpp.
#include "nn/rows/internal/projection_kernel.hpp"

#include <algorithm>

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

template <int W, class Element>
ZT_INLINE void store_vector(const Floats<W>& from, Element* into) {
  float wide[W];
  store<W>(wide, from);
  for (int n = 0; n < W; ++n) put(into[n], wide[n]);
}

/// NV * W columns of a layer's output.
template <int W, int NV, class Element>
ZT_INLINE void project_panel(const Weights& w, const ProjectionLayer& layer, const float* input,
                             const float* panel, int64_t column, int64_t rows, const Element* residual,
                             Element* out) {
  over_tiles(
      rows, [&]<int M>(int64_t row) __attribute__((always_inline)) {
        Floats<W> sums[M][NV];
        for (int i = 0; i < M; ++i) {
          const Element* const beside = residual ? residual + (row + i) * layer.out_width : nullptr;
          for (int n = 0; n < NV; ++n) start_sum<W>(layer, beside, column + n * W, sums[i][n]);
        }
        accumulate<W, M, NV>(sums, {input + row * w.width, w.width, 1}, panel, NV * W, w.width);
        for (int i = 0; i < M; ++i)
          for (int n = 0; n < NV; ++n)
            store_vector<W>(sums[i][n], out + (row + i) * layer.out_width + column + n * W);
      });
}

template <int W, class Element>
ZT_INLINE void run_rows(const ProjectionForward<Element>& call, int64_t first, int64_t last) {
  const Weights& w = call.weights;
  const int64_t block = std::min(kBlockRows, last - first);
  std::vector<float> input(static_cast<size_t>(block * w.width));
  for (int64_t at = first; at < last; at += block) {
    const int64_t rows = std::min(block, last - at);
    widen(call.x + at * w.width, rows * w.width, input.data());
    for (int64_t i = 0; w.norm.weight_C && i < rows; ++i) {
      float* const row = input.data() + i * w.width;
      standardize<W>(row, w.width, w.norm.eps);
      scale_and_shift<W>(row, w.norm, w.width, row);
    }
    add_positions(w, at, rows, input.data());
    const float* panel = call.packed;
    for (int64_t j = 0; j < w.num_layers; ++j) {
      const ProjectionLayer& layer = w.layers[static_cast<size_t>(j)];
      const int64_t begin = at * layer.out_width;
      const Element* const residual = call.residual ? call.residual + begin : nullptr;
      Element* const out = call.out[static_cast<size_t>(j)] + begin;
      int64_t column = 0;
      for (; column + 2 * W <= layer.out_width; column += 2 * W, panel += 2 * W * w.width)
        project_panel<W, 2>(w, layer, input.data(), panel, column, rows, residual, out);
      if (column == layer.out_width) continue;
      project_panel<W, 1>(w, layer, input.data(), panel, column, rows, residual, out);
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
  const float* panels = call.packed;
  for (size_t j = 0; j < static_cast<size_t>(w.num_layers); ++j) {
    const int64_t width = w.layers[j].out_width;
    float* const gradient = room.out_gradient.data();
    widen(call.out_gradients[j] + at * width, rows * width, gradient);
    const auto& into = call.gradients.layers[j];
    if (into.weight_OC)
      multiply<W>(width, w.width, rows, {gradient, 1, width}, room.input, into.weight_OC, true);
    if (into.bias_O) add_rows(gradient, rows, width, into.bias_O);
    if (!call.x_gradient && !call.gradients.norm.weight_C) continue;
    multiply_panels<W>(rows, w.width, width, {gradient, width, 1}, panels, room.input_gradient, j > 0);
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

template <class Call>
void run_fastest(const Call& call, int64_t first, int64_t last) {
  run_widest([&]<int W>() __attribute__((always_inline)) { run_rows<W>(call, first, last); });
}

/// Room for all layers' weights.
std::vector<float> room_for(const Weights& w) {
  int64_t columns = 0;
  for (int64_t j = 0; j < w.num_layers; ++j) columns += w.layers[static_cast<size_t>(j)].out_width;
  return std::vector<float>(static_cast<size_t>(columns * w.width));
}

}  // namespace

std::vector<float> pack_forward(const Weights& w) {
  std::vector<float> packed = room_for(w);
  float* at = packed.data();
  for (size_t j = 0; j < static_cast<size_t>(w.num_layers); ++j)
    at = pack_panels(w.layers[j].weight_OC, 1, w.width, w.width, w.layers[j].out_width, 2 * vector_lanes(),
                     at);
  return packed;
}

std::vector<float> pack_backward(const Weights& w) {
  std::vector<float> packed = room_for(w);
  float* at = packed.data();
  for (size_t j = 0; j < static_cast<size_t>(w.num_layers); ++j)
    at = pack_panels(w.layers[j].weight_OC, w.width, 1, w.layers[j].out_width, w.width, 2 * vector_lanes(),
                     at);
  return packed;
}

void project_rows(const ProjectionForward<float>& call, int64_t first, int64_t last) {
  run_fastest(call, first, last);
}
void project_rows(const ProjectionForward<Bf16>& call, int64_t first, int64_t last) {
  run_fastest(call, first, last);
}
void project_rows_backward(const ProjectionBackward<float>& call, int64_t first, int64_t last) {
  run_fastest(call, first, last);
}
void project_rows_backward(const ProjectionBackward<Bf16>& call, int64_t first, int64_t last) {
  run_fastest(call, first, last);
}

}  // namespace zt::nn::internal
