// SPDX-License-Identifier: Apache-2.0
// The inner loops of attention_kernel.cpp: small matrix products and an exponential on vectors of W floats.
// Everything is inlined into functions that are compiled for one instruction set each, hence always_inline
// and vectors by reference only.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "nn/attention/internal/attention_kernel.hpp"

namespace zt::nn::internal {

#define ZT_INLINE [[gnu::always_inline]] inline

template <int W>
struct Lanes {
  typedef float Floats __attribute__((vector_size(4 * W)));
  typedef int32_t Ints __attribute__((vector_size(4 * W)));
};
template <int W>
using Floats = typename Lanes<W>::Floats;

template <int W>
ZT_INLINE void load(Floats<W>& into, const float* from) {
  std::memcpy(&into, from, sizeof into);
}
template <int W>
ZT_INLINE void store(float* into, const Floats<W>& from) {
  std::memcpy(into, &from, sizeof from);
}

ZT_INLINE float as_float(float x) { return x; }
ZT_INLINE float as_float(Bf16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }
ZT_INLINE void put(float& into, float x) { into = x; }
/// Rounds to nearest, ties to even; a NaN stays one.
ZT_INLINE void put(Bf16& into, float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
  into.bits = static_cast<uint16_t>((x != x ? bits | 0x400000 : rounded) >> 16);
}

/// Where factor A of a product lies: A(i, k) = data[i * row + k * step].
struct Factor {
  const float* data;
  int64_t row, step;
};

/// C[M x NV * W] = (C +) A * B for one tile in registers; B is (depth, b_row), C (M, c_row).
template <int W, int M, int NV>
ZT_INLINE void multiply_tile(const Factor& a, const float* b, int64_t b_row, int64_t depth, float* c,
                             int64_t c_row, bool adds) {
  Floats<W> sum[M][NV];
  for (int i = 0; i < M; ++i)
    for (int n = 0; n < NV; ++n) {
      if (adds)
        load<W>(sum[i][n], c + i * c_row + n * W);
      else
        sum[i][n] = Floats<W>{};
    }
  for (int64_t k = 0; k < depth; ++k) {
    Floats<W> row[NV];
    for (int n = 0; n < NV; ++n) load<W>(row[n], b + k * b_row + n * W);
    for (int i = 0; i < M; ++i) {
      const float factor = a.data[i * a.row + k * a.step];
      for (int n = 0; n < NV; ++n) sum[i][n] += factor * row[n];
    }
  }
  for (int i = 0; i < M; ++i)
    for (int n = 0; n < NV; ++n) store<W>(c + i * c_row + n * W, sum[i][n]);
}

constexpr int kTileRows = 6;  ///< 6 x 2 sums, 2 of B and one of A fill 16 registers

/// As multiply_tile, for any number of rows.
template <int W, int NV>
ZT_INLINE void multiply_rows(int64_t rows, Factor a, const float* b, int64_t b_row, int64_t depth, float* c,
                             int64_t c_row, bool adds) {
  for (; rows >= kTileRows; rows -= kTileRows, a.data += kTileRows * a.row, c += kTileRows * c_row)
    multiply_tile<W, kTileRows, NV>(a, b, b_row, depth, c, c_row, adds);
  switch (rows) {
    case 5:
      return multiply_tile<W, 5, NV>(a, b, b_row, depth, c, c_row, adds);
    case 4:
      return multiply_tile<W, 4, NV>(a, b, b_row, depth, c, c_row, adds);
    case 3:
      return multiply_tile<W, 3, NV>(a, b, b_row, depth, c, c_row, adds);
    case 2:
      return multiply_tile<W, 2, NV>(a, b, b_row, depth, c, c_row, adds);
    case 1:
      return multiply_tile<W, 1, NV>(a, b, b_row, depth, c, c_row, adds);
    default:
      return;
  }
}

/// C[rows x columns] = (C +) A * B; columns is a multiple of W, B and C have `columns` floats a row.
template <int W>
ZT_INLINE void multiply(int64_t rows, int64_t columns, int64_t depth, const Factor& a, const float* b,
                        float* c, bool adds) {
  int64_t at = 0;
  for (; at + 2 * W <= columns; at += 2 * W)
    multiply_rows<W, 2>(rows, a, b + at, columns, depth, c + at, columns, adds);
  if (at < columns) multiply_rows<W, 1>(rows, a, b + at, columns, depth, c + at, columns, adds);
}

/// As multiply, with B in panels of 2 * W columns (the last may have W): panel p is (depth, its width) at
/// b + p * 2 * W * depth.
template <int W>
ZT_INLINE void multiply_panels(int64_t rows, int64_t columns, int64_t depth, const Factor& a, const float* b,
                               float* c) {
  int64_t at = 0;
  for (; at + 2 * W <= columns; at += 2 * W)
    multiply_rows<W, 2>(rows, a, b + at * depth, 2 * W, depth, c + at, columns, false);
  if (at < columns) multiply_rows<W, 1>(rows, a, b + at * depth, W, depth, c + at, columns, false);
}

/// e^x within 2 ulp for x <= 0, 1.2e-38 below -87.3; a NaN stays one. Cody and Waite's reduction, and the
/// polynomial of Cephes' expf.
template <int W>
ZT_INLINE void exponential(Floats<W>& x) {
  using F = Floats<W>;
  using I = typename Lanes<W>::Ints;
  constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  x = x < F{} - 87.3f ? F{} - 87.3f : x;
  const F shifted = x * 1.44269504f + kMagic;
  const F n = shifted - kMagic;
  const F r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  F p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const I power = ((I)shifted << 23) + (127 << 23);  // the low bits of `shifted` are n
  x = p * (F)power;
}

template <int W>
ZT_INLINE float largest(const Floats<W>& x) {
  float found = x[0];
  for (int i = 1; i < W; ++i) found = x[i] > found ? x[i] : found;
  return found;
}
template <int W>
ZT_INLINE float sum(const Floats<W>& x) {
  float total = 0;
  for (int i = 0; i < W; ++i) total += x[i];
  return total;
}

}  // namespace zt::nn::internal
