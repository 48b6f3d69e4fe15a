// SPDX-License-Identifier: Apache-2.0
// See resnet_block.hpp.
#include "nn/resnet_block.hpp"

#include <ATen/ATen.h>

#include "tensor/require.hpp"

namespace zt::nn {

ResnetBlock::ResnetBlock(const params::ParamSource& source, const ResnetOptions& options)
    : norm1(source.child("norm1"), options.norm_num_groups, options.in_channels, options.norm_eps),
      conv1(source.child("conv1"), options.in_channels, options.out_channels) {
  norm_over_frames = options.norm_over_frames;
  if (options.time_width > 0) {
    time_emb_proj = Linear(source.child("time_emb_proj"), options.time_width, options.out_channels);
  }
  norm2 = GroupNorm(source.child("norm2"), options.norm_num_groups, options.out_channels, options.norm_eps);
  conv2 = Conv2d(source.child("conv2"), options.out_channels, options.out_channels);
  if (options.in_channels != options.out_channels) {
    conv_shortcut = Conv2d(source.child("conv_shortcut"), options.in_channels, options.out_channels,
                           {.kernel = 1, .padding = 0});
  }
}

at::Tensor ResnetBlock::normalize(const GroupNorm& norm, const at::Tensor& x, int64_t frames) const {
  return norm_over_frames ? norm.over_frames(x, frames) : norm(x);
}

at::Tensor ResnetBlock::forward(const at::Tensor& x_NCHW, const at::Tensor& time_silu_BE,
                                int64_t frames) const {
  at::Tensor h = conv1(at::silu(normalize(norm1, x_NCHW, frames)));
  if (time_silu_BE.defined()) {
    ZT_REQUIRE(time_silu_BE.size(0) * frames == x_NCHW.size(0), "wanted one time row per clip of ", frames,
               " frames, got ", time_silu_BE, " for ", x_NCHW);
    const at::Tensor shift_B1C11 = time_emb_proj(time_silu_BE).unsqueeze(1).unsqueeze(-1).unsqueeze(-1);
    h = (h.view({-1, frames, h.size(1), h.size(2), h.size(3)}) + shift_B1C11).view(h.sizes());
  }
  h = conv2(at::silu(normalize(norm2, h, frames)));
  return (conv_shortcut ? (*conv_shortcut)(x_NCHW) : x_NCHW) + h;
}

}  // namespace zt::nn
