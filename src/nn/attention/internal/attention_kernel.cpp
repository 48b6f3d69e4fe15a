// SPDX-License-Identifier: Apache-2.0
// See attention_kernel.hpp.
#include "nn/attention/internal/attention_kernel.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>
#include <vector>

#include "nn/internal/instruction_sets.hpp"
#include "nn/internal/tiles.hpp"

namespace zt::nn::internal {
namespace {

constexpr float kPadding = -1e30f;  ///< score of a key that is not there

constexpr int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

/// Queries whose scores are worked on at once: some 64 KiB of them.
int64_t block_rows(int64_t padded_keys) {
  return std::clamp<int64_t>(16384 / padded_keys / kTileRows * kTileRows, kTileRows, 8 * kTileRows);
}

/// Sizes of a job with rows and keys padded to whole vectors.
struct JobSizes {
  /// Products add up over tokens in steps of `token_step`.
  JobSizes(const AttentionSizes& sizes, int64_t lanes, int64_t token_step = 1)
      : s(sizes.queries),
        t(sizes.keys),
        d(sizes.head_dim),
        padded_t(round_up(sizes.keys, lanes)),
        padded_d(round_up(sizes.head_dim, lanes)),
        stepped_t(round_up(sizes.keys, token_step)),
        block(std::min(block_rows(padded_t), sizes.queries)) {}
  int64_t s, t, d, padded_t, padded_d, stepped_t, block;
};

/// One head's tokens of one batch item.
template <class Element>
struct Head {
  Element* data;
  int64_t token;
  Element* row(int64_t i) const { return data + i * token; }
};
template <class Element>
ZT_INLINE Head<Element> head_of(const TokenArray<Element>& array, const AttentionSizes& sizes, int64_t job) {
  const int64_t item = job / sizes.heads, head = job % sizes.heads;
  return {array.data + item / sizes.inner * array.outer + item % sizes.inner * array.inner +
              head * sizes.head_dim,
          array.token};
}

/// (tokens, padded_d) fp32, times `scale`; the padding is zero.
template <class Element>
ZT_INLINE void pack_rows(const Head<const Element>& from, int64_t tokens, const JobSizes& z, float scale,
                         float* into) {
  for (int64_t i = 0; i < tokens; ++i, into += z.padded_d) {
    const Element* const row = from.row(i);
    for (int64_t c = 0; c < z.d; ++c) into[c] = as_float(row[c]) * scale;
    for (int64_t c = z.d; c < z.padded_d; ++c) into[c] = 0;
  }
}

/// Keys or values as the second factor of q k^T: columns are tokens, in panels (multiply_panels).
template <int W, class Element, class Operand>
ZT_INLINE void pack_panels(const Head<const Element>& from, const JobSizes& z, Operand* into) {
  for (int64_t first = 0; first < z.padded_t; first += 2 * W) {
    const int64_t width = std::min<int64_t>(2 * W, z.padded_t - first);
    Operand* const panel = into + first * z.d;
    const int64_t there = std::min(width, z.t - first);
    for (int64_t j = 0; j < there; ++j) put_column<W>(panel, width, j, from.row(first + j), z.d);
    for (int64_t c = 0; c < z.d; ++c)
      for (int64_t j = there; j < width; ++j) put(in_panel(panel, width, c, j), 0.0f);
  }
}

/// Values as the second factor of the output: columns are a head's numbers, in panels. Rows of tokens that
/// are not there are zero.
template <int W, class Element, class Operand>
ZT_INLINE void pack_values(const Head<const Element>& from, const JobSizes& z, Operand* into) {
  for (int64_t first = 0; first < z.padded_d; first += 2 * W) {
    const int64_t width = std::min<int64_t>(2 * W, z.padded_d - first);
    const int64_t there = std::clamp<int64_t>(z.d - first, 0, width);
    Operand* const panel = into + first * z.stepped_t;
    for (int64_t i = 0; i < z.stepped_t; ++i) {
      const int64_t columns = i < z.t ? there : 0;
      for (int64_t c = 0; c < columns; ++c) put(in_panel(panel, width, i, c), from.row(i)[first + c]);
      for (int64_t c = columns; c < width; ++c) put(in_panel(panel, width, i, c), 0.0f);
    }
  }
}

template <class Element>
ZT_INLINE void unpack_rows(const float* from, int64_t tokens, const JobSizes& z, float scale,
                           const Head<Element>& into) {
  for (int64_t i = 0; i < tokens; ++i, from += z.padded_d) {
    Element* const row = into.row(i);
    for (int64_t c = 0; c < z.d; ++c) put(row[c], from[c] * scale);
  }
}

/// Writes e^(scale * (score - largest)) of a row of products q k; returns {scale * largest, sum}.
struct RowSum {
  float largest, sum;
};
template <int W, class Operand>
ZT_INLINE RowSum exponentiate_row(float* scores, const JobSizes& z, float scale, Operand* into) {
  for (int64_t j = z.t; j < z.padded_t; ++j) scores[j] = kPadding;
  Floats<W> high, x, total{};
  load<W>(high, scores);
  for (int64_t j = W; j < z.padded_t; j += W) {
    load<W>(x, scores + j);
    high = x > high ? x : high;
  }
  const float top = scale * largest<W>(high);
  for (int64_t j = 0; j < z.padded_t; j += W) {
    load<W>(x, scores + j);
    x = x * scale - top;
    exponential<W>(x);
    store_operand<W>(into + j, x);
    total += x;
  }
  return {top, sum<W>(total)};
}

/// Memory of one job's forward pass; Operand: what products multiply.
template <class Operand>
struct ForwardRoom {
  static constexpr bool kFloats = std::is_same_v<Operand, float>;
  explicit ForwardRoom(const JobSizes& z)
      : operands(static_cast<size_t>(z.padded_t * z.d + z.stepped_t * z.padded_d + z.block * z.d +
                                     (kFloats ? 0 : z.block * z.padded_t))),
        floats(static_cast<size_t>(z.block * (z.padded_t + z.padded_d))) {
    keys = operands.data(), values = keys + z.padded_t * z.d;
    queries = values + z.stepped_t * z.padded_d;
    scores = floats.data(), out = scores + z.block * z.padded_t;
    if constexpr (kFloats)
      weights = scores;
    else
      weights = queries + z.block * z.d;
  }
  std::vector<Operand> operands;
  std::vector<float> floats;
  Operand *keys, *values, *queries, *weights;  ///< weights: e^score
  float *scores, *out;
};

/// Queries as the first factor of q k^T: where they lie or, where products multiply another type, in `room`.
template <class Operand, class Element>
ZT_INLINE auto query_factor(const Head<const Element>& from, int64_t rows, const JobSizes& z, Operand* room) {
  if constexpr (std::is_same_v<Operand, Element>) {
    return row_factor(from.data, from.token);
  } else {
    for (int64_t i = 0; i < rows; ++i) widen(from.row(i), z.d, room + i * z.d);
    return row_factor(static_cast<const Operand*>(room), z.d);
  }
}

template <int W, class Operand, class Element>
ZT_INLINE void run_jobs(const AttentionForward<Element>& call, int64_t first, int64_t last) {
  const JobSizes z(call.sizes, W, std::is_same_v<Operand, Bf16> ? 2 : 1);
  const ForwardRoom<Operand> room(z);
  for (int64_t job = first; job < last; ++job) {
    const auto q = head_of(call.q, call.sizes, job);
    const auto o = head_of(call.out, call.sizes, job);
    pack_panels<W>(head_of(call.k, call.sizes, job), z, room.keys);
    pack_values<W>(head_of(call.v, call.sizes, job), z, room.values);
    for (int64_t at = 0; at < z.s; at += z.block) {
      const int64_t rows = std::min(z.block, z.s - at);
      const auto queries = query_factor(Head<const Element>{q.row(at), q.token}, rows, z, room.queries);
      multiply_panels<W>(rows, z.padded_t, z.d, queries, room.keys, room.scores);
      float row_sums[8 * kTileRows];
      for (int64_t i = 0; i < rows; ++i) {
        const RowSum row = exponentiate_row<W>(room.scores + i * z.padded_t, z, call.sizes.scale,
                                               room.weights + i * z.padded_t);
        row_sums[i] = row.sum;
        if (call.logsumexp) call.logsumexp[job * z.s + at + i] = row.largest + std::log(row.sum);
      }
      multiply_panels<W>(rows, z.padded_d, z.stepped_t, row_factor(room.weights, z.padded_t), room.values,
                         room.out);
      for (int64_t i = 0; i < rows; ++i)
        unpack_rows(room.out + i * z.padded_d, 1, z, 1 / row_sums[i], Head<Element>{o.row(at + i), o.token});
    }
  }
}

/// Memory of one job's backward pass.
struct BackwardRoom {
  explicit BackwardRoom(const JobSizes& z)
      : all(static_cast<size_t>(2 * z.padded_t * z.d + 3 * z.padded_t * z.padded_d +
                                2 * z.padded_t * z.block + 3 * z.block * z.padded_d)) {
    float* at = all.data();
    const auto take = [&](int64_t count) { return std::exchange(at, at + count); };
    key_panels = take(z.padded_t * z.d), value_panels = take(z.padded_t * z.d);
    keys = take(z.padded_t * z.padded_d);
    k_gradient = take(z.padded_t * z.padded_d), v_gradient = take(z.padded_t * z.padded_d);
    weights = take(z.padded_t * z.block), weight_gradient = take(z.padded_t * z.block);
    queries = take(z.block * z.padded_d), out_gradient = take(z.block * z.padded_d);
    q_gradient = take(z.block * z.padded_d);
  }
  std::vector<float> all;
  float *key_panels, *value_panels, *keys, *k_gradient, *v_gradient;
  float *weights, *weight_gradient, *queries, *out_gradient, *q_gradient;
};

/// weights = e^(score - logsumexp); weight_gradient = weights * (weight_gradient - delta), the scores'
/// gradient.
template <int W>
ZT_INLINE void soften_row(float* weights, float* weight_gradient, float logsumexp, float delta,
                          int64_t padded_t) {
  for (int64_t j = 0; j < padded_t; j += W) {
    Floats<W> x, g;
    load<W>(x, weights + j);
    load<W>(g, weight_gradient + j);
    x -= logsumexp;
    exponential<W>(x);
    store<W>(weights + j, x);
    store<W>(weight_gradient + j, x * (g - delta));
  }
}

/// sum_c a[c] b[c].
template <class Element>
ZT_INLINE float dot(const Element* a, const float* b, int64_t count) {
  float total = 0;
  for (int64_t c = 0; c < count; ++c) total += as_float(a[c]) * b[c];
  return total;
}

template <int W, class Element>
ZT_INLINE void run_jobs(const AttentionBackward<Element>& call, int64_t first, int64_t last) {
  const JobSizes z(call.sizes, W);
  const BackwardRoom room(z);
  for (int64_t job = first; job < last; ++job) {
    const auto q = head_of(call.q, call.sizes, job), out = head_of(call.out, call.sizes, job),
               out_gradient = head_of(call.out_gradient, call.sizes, job);
    const auto q_gradient = head_of(call.q_gradient, call.sizes, job);
    const auto k = head_of(call.k, call.sizes, job);
    pack_panels<W>(k, z, room.key_panels);
    pack_panels<W>(head_of(call.v, call.sizes, job), z, room.value_panels);
    pack_rows(k, z.t, z, 1, room.keys);
    std::fill_n(room.k_gradient, 2 * z.padded_t * z.padded_d, 0.0f);  // v_gradient lies behind it
    for (int64_t at = 0; at < z.s; at += z.block) {
      const int64_t rows = std::min(z.block, z.s - at);
      pack_rows(Head<const Element>{q.row(at), q.token}, rows, z, call.sizes.scale, room.queries);
      pack_rows(Head<const Element>{out_gradient.row(at), out_gradient.token}, rows, z, 1, room.out_gradient);
      multiply_panels<W>(rows, z.padded_t, z.d, row_factor(room.queries, z.padded_d), room.key_panels,
                         room.weights);
      multiply_panels<W>(rows, z.padded_t, z.d, row_factor(room.out_gradient, z.padded_d), room.value_panels,
                         room.weight_gradient);
      for (int64_t i = 0; i < rows; ++i)
        soften_row<W>(room.weights + i * z.padded_t, room.weight_gradient + i * z.padded_t,
                      call.logsumexp[job * z.s + at + i],
                      dot(out.row(at + i), room.out_gradient + i * z.padded_d, z.d), z.padded_t);
      multiply<W>(rows, z.padded_d, z.t, {room.weight_gradient, z.padded_t, 1}, room.keys, room.q_gradient,
                  false);
      unpack_rows(room.q_gradient, rows, z, call.sizes.scale,
                  Head<Element>{q_gradient.row(at), q_gradient.token});
      multiply<W>(z.t, z.padded_d, rows, {room.weight_gradient, 1, z.padded_t}, room.queries, room.k_gradient,
                  true);
      multiply<W>(z.t, z.padded_d, rows, {room.weights, 1, z.padded_t}, room.out_gradient, room.v_gradient,
                  true);
    }
    unpack_rows(room.k_gradient, z.t, z, 1, head_of(call.k_gradient, call.sizes, job));
    unpack_rows(room.v_gradient, z.t, z, 1, head_of(call.v_gradient, call.sizes, job));
  }
}

/// Whether half vectors waste less on so few keys and such narrow heads.
bool prefers_short_vectors(const AttentionSizes& sizes) {
  return round_up(sizes.keys, 8) < round_up(sizes.keys, 16) && sizes.keys < 48;
}

template <int W, class Element>
ZT_INLINE void run_fp32(const AttentionForward<Element>& call, int64_t first, int64_t last) {
  run_jobs<W, float>(call, first, last);
}
template <int W, class Element>
ZT_INLINE void run_fp32(const AttentionBackward<Element>& call, int64_t first, int64_t last) {
  run_jobs<W>(call, first, last);
}

template <class Call>
void run_fastest(const Call& call, int64_t first, int64_t last) {
  run_widest([&]<int W>() __attribute__((always_inline)) {
    if (W > 8 && prefers_short_vectors(call.sizes)) return run_fp32<8>(call, first, last);
    run_fp32<W>(call, first, last);
  });
}

}  // namespace

template <class Element>
void attention_forward(const AttentionForward<Element>& call, int64_t first, int64_t last) {
  if constexpr (std::is_same_v<Element, Bf16>)
    if (has_bf16_pairs() && call.sizes.head_dim % 2 == 0)
      return run_widest([&]<int W>() __attribute__((always_inline)) {
        if constexpr (W == 16) run_jobs<W, Bf16>(call, first, last);
      });
  run_fastest(call, first, last);
}
template <class Element>
void attention_backward(const AttentionBackward<Element>& call, int64_t first, int64_t last) {
  run_fastest(call, first, last);
}

template void attention_forward(const AttentionForward<float>&, int64_t, int64_t);
template void attention_forward(const AttentionForward<Bf16>&, int64_t, int64_t);
template void attention_backward(const AttentionBackward<float>&, int64_t, int64_t);
template void attention_backward(const AttentionBackward<Bf16>&, int64_t, int64_t);

}  // namespace zt::nn::internal
