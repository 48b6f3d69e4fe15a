// SPDX-License-Identifier: Apache-2.0
// The denoising UNet: Stable Diffusion's 2-D weights applied per frame, reference attention in every
// transformer block and, where the config has them, motion modules over frames. Shapes: B batch, C channels,
// F frames, H W latent size, L context tokens, D context width, R bank rows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/unet/config.hpp"
#include "models/unet/reference_bank.hpp"
#include "models/unet/trunk.hpp"
#include "nn/unit.hpp"
#include "params/param_source.hpp"

namespace zt::models {

struct DenoisingInput {
  at::Tensor x_BCFHW = {};
  at::Tensor timestep_B = {};   ///< int64 or float, one per batch item
  at::Tensor context_BLD = {};  ///< one token (the image embedding) is computed as a broadcast
  at::Tensor pose_BCFHW = {};   ///< PoseGuider's output, added after conv_in; undefined = none
  /// At most one of the two; both null = no reference anywhere.
  const ReferenceBank* bank = nullptr;
  const ProjectedBank* projected = nullptr;
  /// Per batch item the bank row it attends to, -1 = itself only. Empty with a bank: row b for item b.
  std::vector<int64_t> bank_row = {};
  bool recompute = false;  ///< activation checkpointing per unit; same gradients, less memory
};

class DenoisingUNet {
 public:
  DenoisingUNet(const UNetConfig& config, const params::ParamSource& source);

  /// The network's prediction, same shape as x but with the config's out_channels.
  at::Tensor forward(const DenoisingInput& input) const;

  /// Keys and values of a bank for every block: generation does this once per reference.
  ProjectedBank project(const ReferenceBank& bank) const;

  const UNetConfig& config() const { return config_; }

 private:
  UNetConfig config_;
  UNetTrunk trunk_;
  nn::Unit head_;
  nn::GroupNorm conv_norm_out_;
  nn::Conv2d conv_out_;
};

}  // namespace zt::models
