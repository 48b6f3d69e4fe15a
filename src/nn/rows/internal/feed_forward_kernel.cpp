// SPDX-License-Identifier: Apache-2.0
// See feed_forward_kernel.hpp.
#include "nn/rows/internal/feed_forward_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#include "nn/internal/instruction_sets.hpp"
#include "nn/internal/tiles.hpp"
#include "nn/rows/internal/row_norm.hpp"

namespace zt::nn::internal {
namespace {

using Weights = FeedForwardWeights;

/// Rows worked on at once: their hidden values take at most some 200 KiB.
int64_t block_rows(const Weights& w) { return w.hidden <= 512 ? 8 * kTileRows : 4 * kTileRows; }

/// Panels of W values and their W gates, for the tiles of project().
template <int W, class Operand>
ZT_INLINE Operand* pack_values_and_gates(const Weights& w, Operand* into) {
  const float *const values = w.proj_weight_GC, *const gates = values + w.hidden * w.width;
  for (int64_t first = 0; first < w.hidden; first += W, into += 2 * W * w.width)
    for (int64_t n = 0; n < W; ++n) {
      put_column<W>(into, 2 * W, n, values + (first + n) * w.width, w.width);
      put_column<W>(into, 2 * W, W + n, gates + (first + n) * w.width, w.width);
    }
  return into;
}

/// normal's distribution function at x, for gelu(x) = x * it.
template <int W>
ZT_INLINE void normal_distribution(const Floats<W>& x, Floats<W>& into) {
  into = x * 0.70710678f;
  error_function<W>(into);
  into = into * 0.5f + 0.5f;
}

/// Calls finish(row, column, value, gate) with vectors of both projections of (rows, C).
template <int W, class Operand, class Finish>
ZT_INLINE void project(const Weights& w, const Operand* packed, const Operand* rows_BC, int64_t rows,
                       const Finish& finish) {
  for (int64_t column = 0; column < w.hidden; column += W, packed += 2 * W * w.width) {
    Floats<W> bias[2];
    load<W>(bias[0], w.proj_bias_G + column), load<W>(bias[1], w.proj_bias_G + w.hidden + column);
    over_tiles(
        rows, [&]<int M>(int64_t row) __attribute__((always_inline)) {
          Floats<W> both[M][2];
          for (int i = 0; i < M; ++i) both[i][0] = bias[0], both[i][1] = bias[1];
          accumulate<W, M, 2>(both, row_factor(rows_BC + row * w.width, w.width), packed, 2 * W, w.width);
          for (int i = 0; i < M; ++i) finish(row + i, column, both[i][0], both[i][1]);
        });
  }
}

/// A block's arrays in forward; Operand: what products multiply.
template <class Operand>
struct ForwardRoom {
  ForwardRoom(const Weights& w, int64_t block)
      : operands(static_cast<size_t>(block * (w.width + w.hidden))),
        sums(static_cast<size_t>(block * w.width)),
        normed(operands.data()),
        hidden(normed + block * w.width) {}
  std::vector<Operand> operands;
  std::vector<float> sums;   ///< (rows, C): rows before the norm, then what is added to x
  Operand *normed, *hidden;  ///< (rows, C), (rows, H)
};

template <int W, class Operand, class Element>
ZT_INLINE void run_rows(const FeedForwardForward<Element>& call, int64_t first, int64_t last) {
  const Weights& w = call.weights;
  const int64_t block = std::min(block_rows(w), last - first);
  ForwardRoom<Operand> room(w, block);
  float* const sums = room.sums.data();
  const Operand* const panels = call.packed->template data<Operand>();
  for (int64_t at = first; at < last; at += block) {
    const int64_t rows = std::min(block, last - at);
    widen(call.x + at * w.width, rows * w.width, sums);
    for (int64_t i = 0; i < rows; ++i) {
      standardize<W>(sums + i * w.width, w.width, w.norm.eps);
      scale_and_shift<W>(sums + i * w.width, w.norm, w.width, room.normed + i * w.width);
    }
    project<W>(
        w, panels, room.normed, rows,
        [&](int64_t row, int64_t column, const Floats<W>& value, const Floats<W>& gate)
            __attribute__((always_inline)) {
              Floats<W> share;
              normal_distribution<W>(gate, share);
              store_operand<W>(room.hidden + row * w.hidden + column, value * (gate * share));
            });
    multiply_panels<W>(rows, w.width, w.hidden, row_factor(room.hidden, w.hidden),
                       panels + 2 * w.hidden * w.width, sums);
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t c = 0; c < w.width; ++c) {
        const int64_t j = i * w.width + c;
        put(call.out[at * w.width + j], as_float(call.x[at * w.width + j]) + (sums[j] + w.out_bias_C[c]));
      }
  }
}

/// A block's arrays in backward.
struct BackwardRoom {
  BackwardRoom(const Weights& w, int64_t block)
      : memory(static_cast<size_t>(block * (4 * w.width + 4 * w.hidden))) {
    float* at = memory.data();
    const auto take = [&](int64_t columns) { return std::exchange(at, at + block * columns); };
    standard = take(w.width), normed = take(w.width), out_gradient = take(w.width);
    normed_gradient = take(w.width);
    projected = take(2 * w.hidden), hidden = take(w.hidden), hidden_gradient = take(w.hidden);
  }
  std::vector<float> memory;
  float *standard, *normed, *out_gradient, *normed_gradient;  ///< (rows, C)
  float* projected;                                           ///< (rows, 2 H): values and gates, then theirs
  float *hidden, *hidden_gradient;                            ///< (rows, H)
};

/// From `projected` and hidden_gradient: hidden, and in place the gradients of values and gates.
template <int W>
ZT_INLINE void gate_backward(const BackwardRoom& room, int64_t rows, int64_t width) {
  for (int64_t i = 0; i < rows; ++i) {
    float *const values = room.projected + i * 2 * width, *const gates = values + width;
    for (int64_t c = 0; c < width; c += W) {
      Floats<W> value, gate, gradient, share;
      load<W>(value, values + c), load<W>(gate, gates + c);
      load<W>(gradient, room.hidden_gradient + i * width + c);
      normal_distribution<W>(gate, share);
      Floats<W> density = gate * gate * -0.5f;
      exponential<W>(density);
      const Floats<W> gelu = gate * share;
      store<W>(room.hidden + i * width + c, value * gelu);
      store<W>(values + c, gradient * gelu);
      store<W>(gates + c, gradient * value * (share + gate * density * 0.39894228f));
    }
  }
}

/// Adds a block's part to the gradients of the weights.
template <int W>
ZT_INLINE void add_gradients(const Weights& w, const BackwardRoom& room, int64_t rows,
                             const FeedForwardGradients& into) {
  multiply<W>(w.width, w.hidden, rows, {room.out_gradient, 1, w.width}, room.hidden, into.out_weight_CH,
              true);
  multiply<W>(2 * w.hidden, w.width, rows, {room.projected, 1, 2 * w.hidden}, room.normed,
              into.proj_weight_GC, true);
  add_rows(room.out_gradient, rows, w.width, into.out_bias_C);
  add_rows(room.projected, rows, 2 * w.hidden, into.proj_bias_G);
  add_rows(room.normed_gradient, rows, w.width, into.norm.bias_C);
  add_products(room.normed_gradient, room.standard, rows, w.width, into.norm.weight_C);
}

template <int W, class Element>
ZT_INLINE void run_rows(const FeedForwardBackward<Element>& call, int64_t first, int64_t last) {
  const Weights& w = call.weights;
  const int64_t block = std::min(block_rows(w), last - first), width = w.width;
  const BackwardRoom room(w, block);
  std::vector<float> inverse_deviations(static_cast<size_t>(block));
  const float *const out_panels = call.packed_backward->fp32.data(), *const proj_panels =
                                                                         out_panels + w.hidden * width;
  for (int64_t at = first; at < last; at += block) {
    const int64_t rows = std::min(block, last - at);
    widen(call.x + at * width, rows * width, room.standard);
    widen(call.out_gradient + at * width, rows * width, room.out_gradient);
    for (int64_t i = 0; i < rows; ++i) {
      float* const row = room.standard + i * width;
      inverse_deviations[static_cast<size_t>(i)] = standardize<W>(row, width, w.norm.eps);
      scale_and_shift<W>(row, w.norm, width, room.normed + i * width);
    }
    project<W>(
        w, call.packed->fp32.data(), static_cast<const float*>(room.normed), rows,
        [&](int64_t row, int64_t column, const Floats<W>& value, const Floats<W>& gate)
            __attribute__((always_inline)) {
              store<W>(room.projected + row * 2 * w.hidden + column, value);
              store<W>(room.projected + row * 2 * w.hidden + w.hidden + column, gate);
            });
    multiply_panels<W>(rows, w.hidden, width, row_factor(room.out_gradient, width), out_panels,
                       room.hidden_gradient);
    gate_backward<W>(room, rows, w.hidden);
    multiply_panels<W>(rows, width, 2 * w.hidden, row_factor(room.projected, 2 * w.hidden), proj_panels,
                       room.normed_gradient);
    if (call.gradients.norm.weight_C) add_gradients<W>(w, room, rows, call.gradients);
    for (int64_t i = 0; i < rows; ++i)
      norm_backward<W>(w.norm, width, room.standard + i * width, room.normed_gradient + i * width,
                       inverse_deviations[static_cast<size_t>(i)], room.out_gradient + i * width);
    for (int64_t i = 0; i < rows * width; ++i) put(call.x_gradient[at * width + i], room.out_gradient[i]);
  }
}

}  // namespace

Panels pack_forward(const Weights& w, Operands operands) {
  return make_panels(operands, static_cast<size_t>(3 * w.hidden * w.width), [&](auto* into) {
    run_widest([&]<int W>() __attribute__((always_inline)) {
      pack_transposed<W>(w.out_weight_CH, w.hidden, w.width, pack_values_and_gates<W>(w, into));
    });
  });
}

Panels pack_backward(const Weights& w) {
  Panels panels;
  panels.fp32.resize(static_cast<size_t>(3 * w.hidden * w.width));
  float* const proj_panels =
      pack_panels(w.out_weight_CH, w.hidden, 1, w.width, w.hidden, 2 * vector_lanes(), panels.fp32.data());
  pack_panels(w.proj_weight_GC, w.width, 1, 2 * w.hidden, w.width, 2 * vector_lanes(), proj_panels);
  return panels;
}

template <class Element>
void feed_forward(const FeedForwardForward<Element>& call, int64_t first, int64_t last) {
  run_widest([&]<int W>() __attribute__((always_inline)) {
    if constexpr (W == 16 && std::is_same_v<Element, Bf16>)
      if (call.packed->are_pairs()) return run_rows<W, Bf16>(call, first, last);
    run_rows<W, float>(call, first, last);
  });
}
template <class Element>
void feed_forward_backward(const FeedForwardBackward<Element>& call, int64_t first, int64_t last) {
  run_widest([&]<int W>() __attribute__((always_inline)) { run_rows<W>(call, first, last); });
}

template void feed_forward(const FeedForwardForward<float>&, int64_t, int64_t);
template void feed_forward(const FeedForwardForward<Bf16>&, int64_t, int64_t);
template void feed_forward_backward(const FeedForwardBackward<float>&, int64_t, int64_t);
template void feed_forward_backward(const FeedForwardBackward<Bf16>&, int64_t, int64_t);

}  // namespace zt::nn::internal
