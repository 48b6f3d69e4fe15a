// SPDX-License-Identifier: Apache-2.0
// See reference_net.hpp.
#include "models/reference_net/reference_net.hpp"

#include <ATen/ATen.h>

#include "tensor/require.hpp"

namespace zt::models {

ReferenceNet::ReferenceNet(const UNetConfig& config, const params::ParamSource& source)
    : config_(config.without_motion()), trunk_(config_, source, UNetTrunk::Role::Writer) {}

ReferenceBank ReferenceNet::forward(const at::Tensor& latents_RCHW, const at::Tensor& context_RLD,
                                    Options options) const {
  ZT_REQUIRE(latents_RCHW.dim() == 4 && latents_RCHW.size(1) == config_.in_channels, "wanted latents (R, ",
             config_.in_channels, ", H, W), got ", latents_RCHW);
  ZT_REQUIRE(context_RLD.dim() == 3 && context_RLD.size(0) == latents_RCHW.size(0), "wanted context (",
             latents_RCHW.size(0), ", L, ", config_.cross_attention_dim, "), got ", context_RLD);
  return trunk_.write(
      {.x_NCHW = latents_RCHW,
       .timestep_B = at::zeros({latents_RCHW.size(0)}, latents_RCHW.options().dtype(at::kLong)),
       .context_BLD = context_RLD,
       .recompute = options.recompute});
}

}  // namespace zt::models
