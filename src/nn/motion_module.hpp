// SPDX-License-Identifier: Apache-2.0
// AnimateDiff's motion module (Guo et al. 2023): at every position, self-attention over the frames of a clip.
// Its output projection starts at zero, so that adding it changes nothing at first.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "nn/attention/attention.hpp"
#include "nn/linear.hpp"
#include "nn/norm.hpp"
#include "nn/rows/feed_forward.hpp"
#include "params/param_source.hpp"

namespace zt::nn {

struct MotionModuleOptions {
  int64_t channels = 0;
  int64_t heads = 8;
  int64_t norm_num_groups = 32;
  int64_t num_blocks = 1;
  int64_t num_attentions = 2;
  bool position_encoding = true;
  int64_t max_positions = 24;
  int64_t attention_dim_div = 1;
  bool zero_initialize = true;
};

class MotionModule {
 public:
  MotionModule() = default;
  MotionModule(const params::ParamSource& source, const MotionModuleOptions& options);
  /// x is (B * frames, C, H, W), frame index fastest. More frames than saved positions extend the sinusoid.
  at::Tensor forward(const at::Tensor& x_NCHW, int64_t frames) const;

  // Its three steps. The first treats every picture by itself, the second every position.
  /// Norm and projection: (N, C, H, W) -> (N, H * W, C).
  at::Tensor enter(const at::Tensor& x_NCHW) const;
  /// Attention over the frames, feed-forward, projection; (B, F, S, C).
  at::Tensor mix(at::Tensor h_BFSC) const;
  /// Adds what came out of mix to the module's input.
  static at::Tensor leave(const at::Tensor& x_NCHW, const at::Tensor& mixed_BFSC);

 private:
  struct TemporalAttention {
    LayerNorm norm;
    Attention attention;
    at::Tensor pe_1PC;  ///< undefined without position encoding
  };
  struct Block {
    std::vector<TemporalAttention> attentions;
    LayerNorm ff_norm;
    FeedForward ff;
  };
  /// Rows of the position table for a clip, (1, F, 1, C); the saved table, or a longer one.
  at::Tensor position_rows(const TemporalAttention& temporal, int64_t frames) const;
  GroupNorm norm_;
  Linear proj_in_, proj_out_;
  std::vector<Block> blocks_;
};

}  // namespace zt::nn
