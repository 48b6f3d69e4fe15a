// SPDX-License-Identifier: Apache-2.0
// PoseGuider: ControlNet's conditioning embedding. Drawn poses become a feature map of the UNet's first width
// at latent size, added after conv_in. Its last convolution starts at zero, so an untrained guider changes
// nothing.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "nn/linear.hpp"
#include "nn/unit.hpp"
#include "params/param_source.hpp"

namespace zt::models {

struct PoseGuiderConfig {
  int64_t embedding_channels = 320;  ///< the UNet's first width
  int64_t in_channels = 3;
  std::vector<int64_t> block_out_channels = {16, 32, 96, 256};
  /// Start values. true, as the reference: torch's defaults, and conv_out zero. false: biases zero and
  /// weights normal with deviation 2 / sqrt(fan_in), which keeps a small signal's size through SiLU (slope
  /// 1/2 at 0). With torch's defaults thin lines reach the UNet 300 times weaker than latents, and are found
  /// late.
  bool zero_output = true;
  /// Image pixels per latent pixel: 2 to the number of strided convolutions.
  int64_t stride() const { return int64_t{1} << (block_out_channels.size() - 1); }
};
/// Keys: conditioning_embedding_channels, conditioning_channels, block_out_channels.
Result<PoseGuiderConfig> parse_pose_guider_config(std::string_view json);
std::string to_json(const PoseGuiderConfig& config);

class PoseGuider {
 public:
  PoseGuider(const PoseGuiderConfig& config, const params::ParamSource& source);
  /// pose_BCFHW: drawn poses in [0, 1] -> (B, embedding_channels, F, H/stride, W/stride).
  at::Tensor forward(const at::Tensor& pose_BCFHW) const;
  const PoseGuiderConfig& config() const { return config_; }

 private:
  PoseGuiderConfig config_;
  nn::Unit unit_;
  nn::Conv2d conv_in_;
  std::vector<nn::Conv2d> blocks_;
  nn::Conv2d conv_out_;
};

}  // namespace zt::models
