// SPDX-License-Identifier: Apache-2.0
// What ReferenceNet and the denoising UNet have in common: conv_in, time embedding, down blocks, middle, up
// blocks. Both are built from the same tree of names, so a bank entry belongs to the block of the same path
// in the other net. Units, in forward order: "conv_in" (with the time embedding), "down_blocks.I.layers.J",
// "down_blocks.I.downsampler", "mid_block.0" and "mid_block.1", "up_blocks.I.layers.J",
// "up_blocks.I.upsampler"; the denoising UNet adds "head". Shapes: N = B * frames pictures, frame index
// fastest.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/unet/config.hpp"
#include "models/unet/reference_bank.hpp"
#include "nn/attention/attention.hpp"
#include "nn/linear.hpp"
#include "nn/motion_module.hpp"
#include "nn/norm.hpp"
#include "nn/resnet_block.hpp"
#include "nn/spatial_transformer.hpp"
#include "nn/time_embedding.hpp"
#include "nn/unit.hpp"
#include "params/param_source.hpp"

namespace zt::models {

/// ResNet, transformer (if the block has attention), motion module (if the net has them).
struct UNetLayer {
  nn::Unit unit;
  nn::ResnetBlock resnet;
  std::optional<nn::SpatialTransformer> attention;
  std::optional<nn::MotionModule> motion;
  size_t bank_index = 0;  ///< of the attention, in the bank's order
};

struct LayerPlan;  // where a layer sits and what it has, see trunk.cpp

struct UNetLevel {
  std::vector<UNetLayer> layers;
  std::optional<nn::Conv2d> resample;  ///< the down- or upsampler's convolution
  nn::Unit resample_unit;
};

class UNetTrunk {
 public:
  enum class Role { Writer, Reader };
  UNetTrunk(const UNetConfig& config, const params::ParamSource& source, Role role);

  struct Input {
    at::Tensor x_NCHW = {};
    at::Tensor timestep_B = {};
    at::Tensor context_BLD = {};
    at::Tensor pose_NCHW = {};  ///< added after conv_in; may be undefined
    int64_t frames = 1;
    const ReferenceBank* bank = nullptr;
    const ProjectedBank* projected = nullptr;
    nn::ReferenceRows rows = {};
    bool recompute = false;  ///< layers; the other units keep their activations
  };
  /// Reader: features before the head.
  at::Tensor read(const Input& input) const;
  /// Writer: the bank; stops after the last norm1.
  ReferenceBank write(const Input& input) const;
  /// Keys and values of every bank entry.
  ProjectedBank project(const ReferenceBank& bank) const;

  /// Paths of the transformer blocks in the bank's order (forward order).
  const std::vector<std::string>& attention_paths() const { return attention_paths_; }

 private:
  struct Walk;
  void build_down(const UNetConfig& config, const params::ParamSource& source);
  void build_middle(const UNetConfig& config, const params::ParamSource& source);
  void build_up(const UNetConfig& config, const params::ParamSource& source);
  UNetLayer build_layer(const UNetConfig& config, const params::ParamSource& source, const LayerPlan& plan);
  /// The source itself, or in the group "tail" where a writer computes nothing any more.
  params::ParamSource live_or_tail(const params::ParamSource& source) const;

  void enter(Walk& walk) const;
  void run(Walk& walk) const;
  bool run_level_up(Walk& walk, const UNetLevel& level) const;
  bool run_layer(Walk& walk, const UNetLayer& layer, const at::Tensor& skip_NCHW) const;

  Role role_;
  size_t num_attentions_ = 0;  ///< of the whole net, known before building
  nn::Unit entrance_;
  nn::Conv2d conv_in_;
  nn::TimeEmbedding time_embedding_;
  std::vector<UNetLevel> down_, up_;
  UNetLayer middle_;
  nn::Unit middle_end_unit_;
  nn::ResnetBlock middle_end_;
  std::vector<std::string> attention_paths_;
};

}  // namespace zt::models
