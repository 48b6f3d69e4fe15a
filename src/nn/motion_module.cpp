// SPDX-License-Identifier: Apache-2.0
// See motion_module.hpp. Tokens stay in (B, F, S, C) order throughout: projections, norms and feed-forward
// work on rows in any order, and only the attention itself needs the frames of a position side by side.
#include "nn/motion_module.hpp"

#include <ATen/ATen.h>

#include "tensor/require.hpp"
#include "tensor/sine_positions.hpp"

namespace zt::nn {
namespace {

constexpr double kMotionNormEps = 1e-6;

}  // namespace

MotionModule::MotionModule(const params::ParamSource& module, const MotionModuleOptions& options) {
  const params::ParamSource source = module.child("temporal_transformer");
  const int64_t channels = options.channels,
                inner = channels / options.heads / options.attention_dim_div * options.heads;
  norm_ = GroupNorm(source.child("norm"), options.norm_num_groups, channels, kMotionNormEps);
  proj_in_ = Linear(source.child("proj_in"), channels, channels);
  for (int64_t b = 0; b < options.num_blocks; ++b) {
    const params::ParamSource block_source = source.child("transformer_blocks", b);
    Block block;
    for (int64_t a = 0; a < options.num_attentions; ++a) {
      const params::ParamSource attention = block_source.child("attention_blocks", a);
      TemporalAttention temporal{
          LayerNorm(block_source.child("norms", a), channels),
          Attention(
              attention,
              {.width = channels, .context_width = channels, .inner_width = inner, .heads = options.heads}),
          {}};
      if (options.position_encoding) {
        temporal.pe_1PC =
            attention.child("pos_encoder")
                .buffer("pe", {1, options.max_positions, channels}, params::Init::sine_positions());
      }
      block.attentions.push_back(std::move(temporal));
    }
    block.ff_norm = LayerNorm(block_source.child("ff_norm"), channels);
    block.ff = FeedForward(block_source.child("ff"), channels);
    blocks_.push_back(std::move(block));
  }
  proj_out_ =
      Linear(source.child("proj_out"), channels, channels, {.zero_initialize = options.zero_initialize});
}

at::Tensor MotionModule::position_rows(const TemporalAttention& temporal, int64_t frames) const {
  const at::Tensor& pe_1PC = temporal.pe_1PC;
  if (frames <= pe_1PC.size(1)) return pe_1PC.narrow(1, 0, frames).unsqueeze(2);
  return tensor::sine_positions(frames, pe_1PC.size(2)).to(pe_1PC.options()).unsqueeze(0).unsqueeze(2);
}

at::Tensor MotionModule::enter(const at::Tensor& x_NCHW) const {
  return project({norm_(x_NCHW).flatten(2).transpose(1, 2)}, {&proj_in_})[0];
}

at::Tensor MotionModule::mix(at::Tensor h_BFSC) const {
  for (const Block& block : blocks_) {
    for (const TemporalAttention& temporal : block.attentions) {
      ProjectionInput input{h_BFSC, &temporal.norm, {}};
      if (temporal.pe_1PC.defined()) input.positions_1F1C = position_rows(temporal, h_BFSC.size(1));
      const Attention& attention = temporal.attention;
      h_BFSC = project_onto(h_BFSC, attention.attend_to_itself(input), attention.to_out);
    }
    h_BFSC = block.ff.add_to(h_BFSC, block.ff_norm);
  }
  return project({h_BFSC}, {&proj_out_})[0];
}

at::Tensor MotionModule::leave(const at::Tensor& x_NCHW, const at::Tensor& mixed_BFSC) {
  // The residual stands first: the sum takes its memory layout, so pictures stay NCHW through the network. In
  // channels-last order torch 2.13's GroupNorm backward crashes where weight and bias are frozen (stage 2).
  return x_NCHW + mixed_BFSC.flatten(0, 1).transpose(1, 2).contiguous().reshape(x_NCHW.sizes());
}

at::Tensor MotionModule::forward(const at::Tensor& x_NCHW, int64_t frames) const {
  ZT_REQUIRE(x_NCHW.size(0) % frames == 0, x_NCHW, " is not whole clips of ", frames, " frames");
  return leave(x_NCHW, mix(enter(x_NCHW).unflatten(0, {-1, frames})));
}

}  // namespace zt::nn
