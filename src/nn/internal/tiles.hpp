// SPDX-License-Identifier: Apache-2.0
// The inner loops of the CPU kernels: small matrix products, sums, the exponential and the error function on
// vectors of W floats. Everything is inlined into functions that are compiled for one instruction set each
// (instruction_sets.hpp), hence always_inline and vectors by reference only.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "nn/internal/bf16.hpp"

namespace zt::nn::internal {

#define ZT_INLINE [[gnu::always_inline]] inline

template <int W>
struct Lanes {
  typedef float Floats __attribute__((vector_size(4 * W)));
  typedef int32_t Ints __attribute__((vector_size(4 * W)));
  typedef uint32_t Unsigned __attribute__((vector_size(4 * W)));
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

ZT_INLINE void put(float& into, Bf16 x) { into = as_float(x); }
ZT_INLINE void put(Bf16& into, Bf16 x) { into = x; }

template <class Element>
ZT_INLINE void widen(const Element* from, int64_t count, float* into) {
  for (int64_t i = 0; i < count; ++i) into[i] = as_float(from[i]);
}
/// As put.
template <int W>
ZT_INLINE void store(Bf16* into, const Floats<W>& from) {
  using U = typename Lanes<W>::Unsigned;
  const U bits = (U)from;
  const U rounded = (from != from ? bits | 0x400000 : bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  typedef uint16_t Halves __attribute__((vector_size(2 * W)));
  const Halves halves = __builtin_convertvector(rounded, Halves);
  std::memcpy(into, &halves, sizeof halves);
}

/// Writes what products multiply; bf16 only where has_bf16_pairs(), by its instruction (as put, but numbers
/// below 1.2e-38 become 0).
template <int W>
ZT_INLINE void store_operand(float* into, const Floats<W>& from) {
  store<W>(into, from);
}
template <int W>
ZT_INLINE void store_operand(Bf16* into, const Floats<W>& from) {
  typedef uint16_t Halves __attribute__((vector_size(2 * W)));
  Halves halves;
  asm("vcvtneps2bf16 %1, %0" : "=v"(halves) : "v"(from));
  std::memcpy(into, &halves, sizeof halves);
}

/// (columns) += each row of (rows, columns).
ZT_INLINE void add_rows(const float* from, int64_t rows, int64_t columns, float* into) {
  for (int64_t i = 0; i < rows; ++i, from += columns)
    for (int64_t c = 0; c < columns; ++c) into[c] += from[c];
}

/// (columns) += each row of a * b, both (rows, columns).
ZT_INLINE void add_products(const float* a, const float* b, int64_t rows, int64_t columns, float* into) {
  for (int64_t i = 0; i < rows; ++i, a += columns, b += columns)
    for (int64_t c = 0; c < columns; ++c) into[c] += a[c] * b[c];
}

/// Where factor A of a product lies: A(i, k) = data[i * row + k * step].
struct Factor {
  const float* data;
  int64_t row, step;
  ZT_INLINE Factor from_row(int64_t i) const { return {data + i * row, row, step}; }
};
/// The same in bf16, for products of pairs: A(i, k) = data[i * row + k].
struct PairFactor {
  const Bf16* data;
  int64_t row;
  ZT_INLINE PairFactor from_row(int64_t i) const { return {data + i * row, row}; }
};
ZT_INLINE Factor row_factor(const float* data, int64_t row) { return {data, row, 1}; }
ZT_INLINE PairFactor row_factor(const Bf16* data, int64_t row) { return {data, row}; }

/// sum[M][NV] += A * B for one tile in registers; B is (depth, b_row).
template <int W, int M, int NV>
ZT_INLINE void accumulate(Floats<W> (&sum)[M][NV], const Factor& a, const float* b, int64_t b_row,
                          int64_t depth) {
  for (int64_t k = 0; k < depth; ++k) {
    Floats<W> row[NV];
    for (int n = 0; n < NV; ++n) load<W>(row[n], b + k * b_row + n * W);
    for (int i = 0; i < M; ++i) {
      const float factor = a.data[i * a.row + k * a.step];
      for (int n = 0; n < NV; ++n) sum[i][n] += factor * row[n];
    }
  }
}

/// The same with products of bf16 pairs, sums in fp32 (has_bf16_pairs()); B is (depth / 2, b_row, 2), depth
/// even. Twice the products of the fp32 loop an instruction. In assembly, since its intrinsic would ask for
/// the instruction set where this function stands, not where it is inlined.
template <int W, int M, int NV>
ZT_INLINE void accumulate(Floats<W> (&sum)[M][NV], const PairFactor& a, const Bf16* b, int64_t b_row,
                          int64_t depth) {
  static_assert(W == 16);
  for (int64_t k = 0; k < depth; k += 2) {
    Floats<W> row[NV];
    for (int n = 0; n < NV; ++n) std::memcpy(&row[n], b + k * b_row + 2 * n * W, sizeof row[n]);
    for (int i = 0; i < M; ++i) {
      int32_t pair;
      std::memcpy(&pair, a.data + i * a.row + k, sizeof pair);
      const typename Lanes<W>::Ints factor = typename Lanes<W>::Ints{} + pair;
      for (int n = 0; n < NV; ++n) {
        Floats<W> here = sum[i][n];  // the array itself would stay in memory
        asm("vdpbf16ps %2, %1, %0" : "+v"(here) : "v"(factor), "v"(row[n]));
        sum[i][n] = here;
      }
    }
  }
}

/// C[M x NV * W] = (C +) A * B for one tile; C is (M, c_row).
template <int W, int M, int NV, class A, class B>
ZT_INLINE void multiply_tile(const A& a, const B* b, int64_t b_row, int64_t depth, float* c, int64_t c_row,
                             bool adds) {
  Floats<W> sum[M][NV];
  for (int i = 0; i < M; ++i)
    for (int n = 0; n < NV; ++n) {
      if (adds)
        load<W>(sum[i][n], c + i * c_row + n * W);
      else
        sum[i][n] = Floats<W>{};
    }
  accumulate<W, M, NV>(sum, a, b, b_row, depth);
  for (int i = 0; i < M; ++i)
    for (int n = 0; n < NV; ++n) store<W>(c + i * c_row + n * W, sum[i][n]);
}

constexpr int kTileRows = 6;  ///< 6 x 2 sums, 2 of B and one of A fill 16 registers

/// Calls tile.operator()<M>(row) for tiles of M rows, M = kTileRows and what is left, that cover `rows`.
template <class Tile>
ZT_INLINE void over_tiles(int64_t rows, const Tile& tile) {
  int64_t row = 0;
  for (; rows - row >= kTileRows; row += kTileRows) tile.template operator()<kTileRows>(row);
  switch (rows - row) {
    case 5:
      return tile.template operator()<5>(row);
    case 4:
      return tile.template operator()<4>(row);
    case 3:
      return tile.template operator()<3>(row);
    case 2:
      return tile.template operator()<2>(row);
    case 1:
      return tile.template operator()<1>(row);
    default:
      return;
  }
}

/// As multiply_tile, for any number of rows.
template <int W, int NV, class A, class B>
ZT_INLINE void multiply_rows(int64_t rows, const A& a, const B* b, int64_t b_row, int64_t depth, float* c,
                             int64_t c_row, bool adds) {
  over_tiles(
      rows, [&]<int M>(int64_t row) __attribute__((always_inline)) {
        multiply_tile<W, M, NV>(a.from_row(row), b, b_row, depth, c + row * c_row, c_row, adds);
      });
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
template <int W, class A, class B>
ZT_INLINE void multiply_panels(int64_t rows, int64_t columns, int64_t depth, const A& a, const B* b, float* c,
                               bool adds = false) {
  int64_t at = 0;
  for (; at + 2 * W <= columns; at += 2 * W)
    multiply_rows<W, 2>(rows, a, b + at * depth, 2 * W, depth, c + at, columns, adds);
  if (at < columns) multiply_rows<W, 1>(rows, a, b + at * depth, W, depth, c + at, columns, adds);
}

/// Where B(k, n) lies in a panel of `width` columns, for accumulate.
ZT_INLINE float& in_panel(float* panel, int64_t width, int64_t k, int64_t n) { return panel[k * width + n]; }
ZT_INLINE Bf16& in_panel(Bf16* panel, int64_t width, int64_t k, int64_t n) {
  return panel[k / 2 * 2 * width + 2 * n + k % 2];
}

/// Writes column n of a panel: B(k, n) = from[k]. Depth is a multiple of W where numbers are rounded, else
/// even.
template <int W, class Operand, class Element>
ZT_INLINE void put_column(Operand* panel, int64_t width, int64_t n, const Element* from, int64_t depth) {
  if constexpr (std::is_same_v<Operand, float>) {
    for (int64_t k = 0; k < depth; ++k) panel[k * width + n] = as_float(from[k]);
  } else if constexpr (std::is_same_v<Element, Bf16>) {
    for (int64_t k = 0; k < depth; k += 2)
      std::memcpy(&in_panel(panel, width, k, n), from + k, 2 * sizeof *from);
  } else {
    for (int64_t k = 0; k < depth; k += W) {
      Floats<W> exact;
      Bf16 rounded[W];
      load<W>(exact, from + k);
      store_operand<W>(rounded, exact);
      put_column<W>(panel + k * width, width, n, static_cast<const Bf16*>(rounded), W);
    }
  }
}

/// Writes factor B (depth, columns) in panels of `width` columns, panel p (depth, its width) at
/// into + p * width * depth; B(k, n) = from[k * row + n * step].
/// Returns where they end.
inline float* pack_panels(const float* from, int64_t row, int64_t step, int64_t depth, int64_t columns,
                          int64_t width, float* into) {
  for (int64_t first = 0; first < columns; first += width) {
    const int64_t count = std::min(width, columns - first);
    for (int64_t k = 0; k < depth; ++k, into += count)
      for (int64_t n = 0; n < count; ++n) into[n] = from[k * row + (first + n) * step];
  }
  return into;
}
/// The same for B(k, n) = from[n * depth + k], in panels of 2 * W.
template <int W, class Operand>
ZT_INLINE Operand* pack_transposed(const float* from, int64_t depth, int64_t columns, Operand* into) {
  for (int64_t first = 0; first < columns; first += 2 * W) {
    const int64_t count = std::min<int64_t>(2 * W, columns - first);
    for (int64_t n = 0; n < count; ++n) put_column<W>(into, count, n, from + (first + n) * depth, depth);
    into += depth * count;
  }
  return into;
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

/// The two halves of a vector.
template <int W>
struct Halves {
  ZT_INLINE explicit Halves(const Floats<W>& x) { std::memcpy(&low, &x, sizeof x); }
  Floats<W / 2> low, high;
};

template <int W>
ZT_INLINE float largest(const Floats<W>& x) {
  if constexpr (W == 1) {
    return x[0];
  } else {
    const Halves<W> half(x);
    return largest<W / 2>(half.low > half.high ? half.low : half.high);
  }
}
template <int W>
ZT_INLINE float sum(const Floats<W>& x) {
  if constexpr (W == 1) {
    return x[0];
  } else {
    const Halves<W> half(x);
    return sum<W / 2>(half.low + half.high);
  }
}

/// erf(x) within 4 ulp; a NaN stays one. Eigen's rational approximation (generic_fast_erf_float), degrees 13
/// and 8 on [-4, 4], outside of which fp32 knows only -1 and 1.
template <int W>
ZT_INLINE void error_function(Floats<W>& x) {
  using F = Floats<W>;
  x = x < F{} - 4.0f ? F{} - 4.0f : x;
  x = x > F{} + 4.0f ? F{} + 4.0f : x;
  const F y = x * x;
  F p = y * -2.72614225801306e-10f + 2.77068142495902e-08f;
  p = p * y - 2.10102402082508e-06f;
  p = p * y - 5.69250639462346e-05f;
  p = p * y - 7.34990630326855e-04f;
  p = p * y - 2.95459980854025e-03f;
  p = p * y - 1.60960333262415e-02f;
  F q = y * -1.45660718464996e-05f - 2.13374055278905e-04f;
  q = q * y - 1.68282697438203e-03f;
  q = q * y - 7.37332916720468e-03f;
  q = q * y - 1.42647390514189e-02f;
  x = x * p / q;
}

}  // namespace zt::nn::internal
