// SPDX-License-Identifier: Apache-2.0
// Stable Diffusion's transformer block over the positions of one picture, with reference attention (Hu et al.
// 2023) as an explicit input (reader) or output (writer). Shapes as in nn/attention/attention.hpp.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "nn/attention/attention.hpp"
#include "nn/linear.hpp"
#include "nn/norm.hpp"
#include "nn/rows/feed_forward.hpp"
#include "params/param_source.hpp"

namespace zt::nn {

struct SpatialTransformerOptions {
  int64_t channels = 0;
  int64_t heads = 8;
  int64_t context_width = 768;
  int64_t norm_num_groups = 32;
  bool linear_projection = false;  ///< proj_in and proj_out weights are (C, C) instead of (C, C, 1, 1)
  /// Only norm1's output is wanted: what lies behind it goes to the gradient group "tail".
  bool ends_at_norm1 = false;
};

class SpatialTransformer {
 public:
  SpatialTransformer() = default;
  SpatialTransformer(const params::ParamSource& source, const SpatialTransformerOptions& options);

  /// The context_BLD rows are per clip; x is (B * frames, C, H, W). `reference` may be empty (rows.any()
  /// false).
  at::Tensor forward(const at::Tensor& x_NCHW, const at::Tensor& context_BLD, const ReferenceKeys& reference,
                     const ReferenceRows& rows, int64_t frames) const;

  struct Written {
    at::Tensor x_NCHW, norm1_NSC;
  };
  /// Writer: the ordinary block, and norm1's output.
  Written forward_writing(const at::Tensor& x_NCHW, const at::Tensor& context_BLD) const;
  /// Writer that stops there.
  at::Tensor norm1_only(const at::Tensor& x_NCHW) const;

  /// Keys and values of a bank entry for this layer.
  ReferenceKeys project(const at::Tensor& norm1_RSC) const;

 private:
  at::Tensor tokens(const at::Tensor& x_NCHW) const;
  at::Tensor finish(at::Tensor h_NSC, const at::Tensor& attended_NSC, const at::Tensor& context_BLD,
                    const at::Tensor& residual_NCHW) const;
  at::Tensor cross_attention(const at::Tensor& h_NSC, const at::Tensor& context_BLD) const;

  GroupNorm norm_;
  Linear proj_in_, proj_out_;
  LayerNorm norm1_, norm2_, norm3_;
  Attention attn1_, attn2_;
  FeedForward ff_;
};

}  // namespace zt::nn
