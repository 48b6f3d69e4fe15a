// SPDX-License-Identifier: Apache-2.0
// ReferenceNet: a 2-D UNet without its output head whose only product is the bank of norm1 outputs (Hu et al.
// 2023, "Animate Anyone", section 3.2). The forward stops right after the last norm1; what lies behind it is
// kept as parameters (state-dict names of the reference), in the gradient group "<network>.tail", which no
// step touches.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "models/unet/config.hpp"
#include "models/unet/reference_bank.hpp"
#include "models/unet/trunk.hpp"
#include "params/param_source.hpp"

namespace zt::models {

class ReferenceNet {
 public:
  ReferenceNet(const UNetConfig& config, const params::ParamSource& source);

  struct Options {
    bool recompute = false;  ///< activation checkpointing per unit; same gradients, less memory
  };
  /// latents_RCHW: scaled latents of the reference pictures, not noised. context_RLD: their image embeddings
  /// as tokens. The timestep is 0.
  ReferenceBank forward(const at::Tensor& latents_RCHW, const at::Tensor& context_RLD, Options options) const;
  ReferenceBank forward(const at::Tensor& latents_RCHW, const at::Tensor& context_RLD) const {
    return forward(latents_RCHW, context_RLD, Options{});
  }

  /// Paths of the transformer blocks in the bank's order, e.g.
  /// "down_blocks.0.attentions.0.transformer_blocks.0": for comparison with a reference's.
  std::vector<std::string> bank_names() const { return trunk_.attention_paths(); }
  const UNetConfig& config() const { return config_; }

 private:
  UNetConfig config_;
  UNetTrunk trunk_;
};

}  // namespace zt::models
