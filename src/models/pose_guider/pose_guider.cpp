// SPDX-License-Identifier: Apache-2.0
// See pose_guider.hpp.
#include "models/pose_guider/pose_guider.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include "tensor/require.hpp"

namespace zt::models {

PoseGuider::PoseGuider(const PoseGuiderConfig& config, const params::ParamSource& source)
    : config_(config), unit_(source) {
  const auto conv = [&](const params::ParamSource& at, int64_t in, int64_t out, nn::Conv2d::Options options) {
    if (!config.zero_output)
      options.weight_init =
          params::Init::normal(2 / std::sqrt(static_cast<float>(in * options.kernel * options.kernel)));
    return nn::Conv2d(at, in, out, options);
  };
  const auto& widths = config.block_out_channels;
  conv_in_ = conv(source.child("conv_in"), config.in_channels, widths.front(), {});
  for (size_t i = 0; i + 1 < widths.size(); ++i) {
    const auto at_block = static_cast<int64_t>(2 * i);
    blocks_.push_back(conv(source.child("blocks", at_block), widths[i], widths[i], {}));
    blocks_.push_back(conv(source.child("blocks", at_block + 1), widths[i], widths[i + 1], {.stride = 2}));
  }
  conv_out_ = conv(source.child("conv_out"), widths.back(), config.embedding_channels,
                   {.weight_init = params::Init::zeros()});
}

at::Tensor PoseGuider::forward(const at::Tensor& pose_BCFHW) const {
  ZT_REQUIRE(pose_BCFHW.dim() == 5 && pose_BCFHW.size(1) == config_.in_channels, "wanted poses (B, ",
             config_.in_channels, ", F, H, W), got ", pose_BCFHW);
  const int64_t frames = pose_BCFHW.size(2);
  const auto layers = [this](const std::vector<at::Tensor>& in) -> std::vector<at::Tensor> {
    at::Tensor h_NCHW = at::silu(conv_in_(in[0]));
    for (const nn::Conv2d& block : blocks_) h_NCHW = at::silu(block(h_NCHW));
    return {conv_out_(h_NCHW)};
  };
  const at::Tensor pose_NCHW = pose_BCFHW.transpose(1, 2).flatten(0, 1);
  return unit_.run(nn::Unit::Form::Kept, layers, {pose_NCHW})
      .front()
      .unflatten(0, {pose_BCFHW.size(0), frames})
      .transpose(1, 2);
}

}  // namespace zt::models
