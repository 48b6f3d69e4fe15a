// SPDX-License-Identifier: Apache-2.0
// See time_embedding.hpp.
#include "nn/time_embedding.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "tensor/require.hpp"

namespace zt::nn {

at::Tensor sinusoid(const at::Tensor& timestep_B, const SinusoidOptions& options) {
  ZT_REQUIRE(timestep_B.dim() == 1, "wanted one timestep per batch item, got ", timestep_B);
  const int64_t half = options.width / 2;
  const double step = -std::log(10000.0) / (static_cast<double>(half) - options.freq_shift);
  const at::Tensor rate_K = at::exp(at::arange(half, timestep_B.options().dtype(at::kFloat)) * step);
  const at::Tensor angle_BK = timestep_B.to(at::kFloat).unsqueeze(1) * rate_K;
  at::Tensor out_BW = options.cos_first ? at::cat({at::cos(angle_BK), at::sin(angle_BK)}, 1)
                                        : at::cat({at::sin(angle_BK), at::cos(angle_BK)}, 1);
  return options.width % 2 == 1 ? at::constant_pad_nd(out_BW, {0, 1}) : out_BW;
}

TimeEmbedding::TimeEmbedding(const params::ParamSource& source, SinusoidOptions sinusoid_options,
                             int64_t out_width)
    : options(sinusoid_options),
      linear_1(source.child("linear_1"), options.width, out_width),
      linear_2(source.child("linear_2"), out_width, out_width) {}

at::Tensor TimeEmbedding::operator()(const at::Tensor& timestep_B) const {
  const at::Tensor wave_BW = sinusoid(timestep_B, options).to(linear_1.weight_OI.scalar_type());
  return at::silu(linear_2(at::silu(linear_1(wave_BW))));
}

}  // namespace zt::nn
