// SPDX-License-Identifier: Apache-2.0
// See spatial_transformer.hpp. proj_in and proj_out are 1x1 convolutions in the reference; on tokens they are
// the same linear map, so they run as one with the weight viewed as a matrix.
#include "nn/spatial_transformer.hpp"

#include <ATen/ATen.h>

#include "nn/tail_group.hpp"

namespace zt::nn {
namespace {

constexpr double kTransformerNormEps = 1e-6;

Linear projection(const params::ParamSource& source, int64_t channels, bool is_linear) {
  if (is_linear) return Linear(source, channels, channels);
  const Conv2d conv(source, channels, channels, {.kernel = 1, .padding = 0});
  Linear linear;
  if (!source.is_declaring()) linear.weight_OI = conv.weight_OIHW;
  linear.bias_O = conv.bias_O;
  return linear;
}

}  // namespace

SpatialTransformer::SpatialTransformer(const params::ParamSource& source,
                                       const SpatialTransformerOptions& options) {
  const params::ParamSource block = source.child("transformer_blocks.0");
  const params::ParamSource tail = options.ends_at_norm1 ? source.group(kTailGroup) : source;
  const params::ParamSource tail_block = tail.child("transformer_blocks.0");
  const int64_t channels = options.channels;
  norm_ = GroupNorm(source.child("norm"), options.norm_num_groups, channels, kTransformerNormEps);
  proj_in_ = projection(source.child("proj_in"), channels, options.linear_projection);
  norm1_ = LayerNorm(block.child("norm1"), channels);
  attn1_ = Attention(tail_block.child("attn1"),
                     {.width = channels, .context_width = channels, .heads = options.heads});
  norm2_ = LayerNorm(tail_block.child("norm2"), channels);
  attn2_ = Attention(tail_block.child("attn2"),
                     {.width = channels, .context_width = options.context_width, .heads = options.heads});
  norm3_ = LayerNorm(tail_block.child("norm3"), channels);
  ff_ = FeedForward(tail_block.child("ff"), channels);
  proj_out_ = projection(tail.child("proj_out"), channels, options.linear_projection);
}

at::Tensor SpatialTransformer::tokens(const at::Tensor& x_NCHW) const {
  return nn::project({norm_(x_NCHW).flatten(2).transpose(1, 2)}, {&proj_in_})[0];
}

at::Tensor SpatialTransformer::cross_attention(const at::Tensor& h_NSC, const at::Tensor& context_BLD) const {
  const int64_t clips = context_BLD.size(0), frames = h_NSC.size(0) / clips;
  if (context_BLD.size(1) == 1) {
    const at::Tensor shift_B1C = attn2_.forward_single_token(context_BLD);
    return (h_NSC.view({clips, -1, h_NSC.size(2)}) + shift_B1C).view(h_NSC.sizes());
  }
  const at::Tensor context_NLD =
      frames == 1 ? context_BLD : context_BLD.unsqueeze(1).expand({-1, frames, -1, -1}).flatten(0, 1);
  return h_NSC + attn2_.forward(norm2_(h_NSC), context_NLD);
}

at::Tensor SpatialTransformer::finish(at::Tensor h_NSC, const at::Tensor& attended_NSC,
                                      const at::Tensor& context_BLD, const at::Tensor& residual_NCHW) const {
  h_NSC = cross_attention(project_onto(h_NSC, attended_NSC, attn1_.to_out), context_BLD);
  h_NSC = ff_.add_to(h_NSC, norm3_);
  // The residual stands first: the sum takes its memory layout, so pictures stay NCHW through the network.
  return residual_NCHW +
         nn::project({h_NSC}, {&proj_out_})[0].transpose(1, 2).contiguous().reshape(residual_NCHW.sizes());
}

at::Tensor SpatialTransformer::forward(const at::Tensor& x_NCHW, const at::Tensor& context_BLD,
                                       const ReferenceKeys& reference, const ReferenceRows& rows,
                                       int64_t frames) const {
  const at::Tensor h_NSC = tokens(x_NCHW);
  return finish(h_NSC, reference_attention(attn1_, {h_NSC, &norm1_}, reference, rows, frames), context_BLD,
                x_NCHW);
}

SpatialTransformer::Written SpatialTransformer::forward_writing(const at::Tensor& x_NCHW,
                                                                const at::Tensor& context_BLD) const {
  const at::Tensor h_NSC = tokens(x_NCHW);
  const at::Tensor norm1_NSC = norm1_(h_NSC);
  return {finish(h_NSC, attn1_.attend_to_itself({norm1_NSC}), context_BLD, x_NCHW), norm1_NSC};
}

at::Tensor SpatialTransformer::norm1_only(const at::Tensor& x_NCHW) const { return norm1_(tokens(x_NCHW)); }

ReferenceKeys SpatialTransformer::project(const at::Tensor& norm1_RSC) const {
  const std::vector<at::Tensor> keys_and_values = nn::project({norm1_RSC}, {&attn1_.to_k, &attn1_.to_v});
  return {keys_and_values[0], keys_and_values[1]};
}

}  // namespace zt::nn
