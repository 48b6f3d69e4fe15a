// SPDX-License-Identifier: Apache-2.0
#include "generate/pipeline/interpolation.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "tensor/require.hpp"

namespace zt::generate {
namespace {

/// Cosine beyond which two latents count as parallel and the great circle is not defined well enough.
constexpr double kParallelCosine = 0.9995;

at::Tensor linear(const at::Tensor& a, const at::Tensor& b, double share) {
  return a * (1.0 - share) + b * share;
}

at::Tensor slerp(const at::Tensor& a, const at::Tensor& b, double share) {
  const double cosine = ((a / a.norm()) * (b / b.norm())).sum().item<double>();
  // Written so that the NaN of an all-zero latent goes the linear way too.
  if (!(std::abs(cosine) <= kParallelCosine)) return linear(a, b, share);
  const double angle = std::acos(cosine);
  return (a * std::sin((1.0 - share) * angle) + b * std::sin(share * angle)) / std::sin(angle);
}

}  // namespace

int64_t interpolated_frames(int64_t num_frames, int64_t factor) {
  ZT_REQUIRE(num_frames >= 1 && factor >= 1, "num_frames ", num_frames, ", factor ", factor);
  return (num_frames - 1) * factor + 1;
}

at::Tensor interpolated_frame(const at::Tensor& latents_CFHW, int64_t factor, config::InterpolationKind kind,
                              int64_t index) {
  ZT_REQUIRE(latents_CFHW.dim() == 4, "wanted (C, F, H, W), got ", latents_CFHW);
  ZT_REQUIRE(index >= 0 && index < interpolated_frames(latents_CFHW.size(1), factor), "index ", index);
  const at::Tensor before = latents_CFHW.select(1, index / factor);
  if (index % factor == 0) return before;
  const at::Tensor after = latents_CFHW.select(1, index / factor + 1);
  const double share = static_cast<double>(index % factor) / static_cast<double>(factor);
  return kind == config::InterpolationKind::Slerp ? slerp(before, after, share)
                                                  : linear(before, after, share);
}

}  // namespace zt::generate
