// SPDX-License-Identifier: Apache-2.0
// See noise.hpp. The logarithm and the sine are polynomials of our own (Cephes logf, sinf, cosf): libm's and
// MKL's results may differ between CPUs and between vector and scalar tails.
#include "tensor/noise.hpp"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "tensor/internal/random_words.hpp"
#include "tensor/parallel.hpp"
#include "tensor/require.hpp"

namespace zt::tensor {
namespace {

using internal::kWordsPerBlock;
using internal::RandomWords;

constexpr int64_t kGroupsPerTask = 128;

/// Natural logarithm of u in (0, 1]; error about 1 ulp.
float log_unit(float u) {
  const auto bits = std::bit_cast<uint32_t>(u);
  auto exponent = static_cast<int32_t>(bits >> 23) - 126;
  float m = std::bit_cast<float>((bits & 0x007FFFFFu) | 0x3F000000u);  // in [0.5, 1)
  if (m < 0.70710678f) {
    exponent -= 1;
    m += m;
  }
  m -= 1.0f;
  const float m2 = m * m;
  float p = 7.0376836292e-2f;
  for (const float c : {-1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                        -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f}) {
    p = p * m + c;
  }
  const auto e = static_cast<float>(exponent);
  return m + (p * m * m2 - 2.12194440e-4f * e - 0.5f * m2) + 0.693359375f * e;
}

struct SinCos {
  float sin, cos;
};
/// Sine and cosine of k / 2^24 turns, k < 2^24.
SinCos sin_cos_turn(uint32_t k) {
  constexpr uint32_t kQuarter = 1u << 22, kEighth = 1u << 21;
  const uint32_t quadrant = (k + kEighth) / kQuarter;  // 0..4; what is left is within an eighth of a turn
  const auto offset = static_cast<int32_t>(k) - static_cast<int32_t>(quadrant * kQuarter);
  const float x = static_cast<float>(offset) * (6.283185307f / 16777216.0f);
  const float x2 = x * x;
  const float s = ((-1.9515295891e-4f * x2 + 8.3321608736e-3f) * x2 - 1.6666654611e-1f) * x2 * x + x;
  const float c =
      ((2.443315711809948e-5f * x2 - 1.388731625493765e-3f) * x2 + 4.166664568298827e-2f) * x2 * x2 -
      0.5f * x2 + 1.0f;
  switch (quadrant % 4) {
    case 0:
      return {s, c};
    case 1:
      return {c, -s};
    case 2:
      return {-s, -c};
    default:
      return {-c, s};
  }
}

constexpr float kUnit = 0x1.0p-24f;

using RandomFloats = std::array<float, RandomWords{}.size()>;

/// Normal numbers from words, by pairs (Box and Muller).
void to_normal(const RandomWords& words, RandomFloats& out) {
  for (size_t i = 0; i < out.size(); i += 2) {
    const float radius = std::sqrt(-2.0f * log_unit(static_cast<float>((words[i] >> 8) + 1) * kUnit));
    const SinCos angle = sin_cos_turn(words[i + 1] >> 8);
    out[i] = radius * angle.cos;
    out[i + 1] = radius * angle.sin;
  }
}

void to_uniform(const RandomWords& words, RandomFloats& out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(words[i] >> 8) * kUnit;
}

/// out[i] = scale * convert(words of block i / 4)[i % 4] + shift, over counters (item, purpose, i / 4).
template <class Convert>
void fill(const at::Tensor& out, NoiseKey key, float scale, float shift, const Convert& convert) {
  ZT_REQUIRE(out.is_contiguous() && out.device().is_cpu() && out.scalar_type() == at::kFloat,
             "random numbers fill a contiguous float CPU tensor, got ", out);
  float* data = out.mutable_data_ptr<float>();
  constexpr auto kGroup = static_cast<int64_t>(RandomWords{}.size());
  const int64_t n = out.numel(), num_groups = (n + kGroup - 1) / kGroup;
  ZT_REQUIRE(n <= int64_t{1} << 34, "a random tensor may have 2^34 elements at most, got ", out);
  const std::array<uint32_t, 2> seed = {static_cast<uint32_t>(key.seed),
                                        static_cast<uint32_t>(key.seed >> 32)};
  const std::array<uint32_t, 3> stream = {static_cast<uint32_t>(key.item),
                                          static_cast<uint32_t>(key.item >> 32), key.purpose};
  parallel_for(0, num_groups, kGroupsPerTask, [&](int64_t begin, int64_t end) {
    RandomWords words;
    RandomFloats values;
    for (int64_t at = begin * kGroup; at < end * kGroup; at += kGroup) {
      internal::random_words(seed, stream, static_cast<uint32_t>(at / kWordsPerBlock), words);
      convert(words, values);
      for (float& value : values) value = value * scale + shift;
      std::copy_n(values.begin(), std::min(kGroup, n - at), data + at);
    }
  });
}

}  // namespace

void fill_normal(const at::Tensor& out, NoiseKey key, float sd) { fill(out, key, sd, 0.0f, to_normal); }

void fill_uniform(const at::Tensor& out, NoiseKey key, float low, float high) {
  fill(out, key, high - low, low, to_uniform);
}

at::Tensor normal(at::IntArrayRef shape, NoiseKey key) {
  at::Tensor out = at::empty(shape, at::kFloat);
  fill_normal(out, key, 1.0f);
  return out;
}

at::Tensor uniform(at::IntArrayRef shape, NoiseKey key, float low, float high) {
  at::Tensor out = at::empty(shape, at::kFloat);
  fill_uniform(out, key, low, high);
  return out;
}

at::Generator make_generator(uint64_t seed) { return at::make_generator<at::CPUGeneratorImpl>(seed); }

}  // namespace zt::tensor
