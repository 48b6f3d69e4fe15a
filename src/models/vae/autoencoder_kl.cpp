// SPDX-License-Identifier: Apache-2.0
// See autoencoder_kl.hpp.
#include "models/vae/autoencoder_kl.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <optional>

#include "nn/attention/attention.hpp"
#include "nn/resample.hpp"
#include "nn/resnet_block.hpp"
#include "tensor/require.hpp"

namespace zt::models {
namespace {

constexpr double kVaeNormEps = 1e-6;
/// The encoder's log variance is clamped to this range (diffusers' DiagonalGaussianDistribution).
constexpr double kSmallestLogvar = -30, kLargestLogvar = 20;

nn::ResnetBlock resnet(const params::ParamSource& source, const VaeConfig& config, int64_t in, int64_t out) {
  return nn::ResnetBlock(source, {.in_channels = in,
                                  .out_channels = out,
                                  .norm_num_groups = config.norm_num_groups,
                                  .norm_eps = kVaeNormEps});
}

at::Tensor run(const nn::ResnetBlock& block, const at::Tensor& x_NCHW) {
  return block.forward(x_NCHW, /*time_silu_BE=*/{}, /*frames=*/1);
}

/// Self-attention of one head over all positions, with its norm and residual inside.
struct PositionAttention {
  PositionAttention(const params::ParamSource& source, int64_t groups, int64_t width)
      : norm(source.child("group_norm"), groups, width, kVaeNormEps),
        attention(source, {.width = width, .context_width = width, .heads = 1, .qkv_bias = true}) {}

  at::Tensor operator()(const at::Tensor& x_NCHW) const {
    const at::Tensor tokens_NSC = norm(x_NCHW).flatten(2).transpose(1, 2);
    return attention.forward(tokens_NSC, tokens_NSC).transpose(1, 2).reshape(x_NCHW.sizes()) + x_NCHW;
  }

  nn::GroupNorm norm;
  nn::Attention attention;
};

struct Middle {
  Middle(const params::ParamSource& source, const VaeConfig& config, int64_t width)
      : first(resnet(source.child("resnets.0"), config, width, width)),
        attention(source.child("attentions.0"), config.norm_num_groups, width),
        second(resnet(source.child("resnets.1"), config, width, width)) {}

  at::Tensor operator()(const at::Tensor& x_NCHW) const { return run(second, attention(run(first, x_NCHW))); }

  nn::ResnetBlock first;
  PositionAttention attention;
  nn::ResnetBlock second;
};

struct Level {
  std::vector<nn::ResnetBlock> resnets;
  std::optional<nn::Conv2d> resample;
};

nn::Conv2d pointwise(const params::ParamSource& source, int64_t in, int64_t out) {
  return nn::Conv2d(source, in, out, {.kernel = 1, .padding = 0});
}

}  // namespace

class VaeEncoder {
 public:
  VaeEncoder(const VaeConfig& config, const params::ParamSource& root)
      : conv_in_(root.child("encoder.conv_in"), config.in_channels, config.block_out_channels.front()),
        middle_(root.child("encoder.mid_block"), config, config.block_out_channels.back()),
        norm_out_(root.child("encoder.conv_norm_out"), config.norm_num_groups,
                  config.block_out_channels.back(), kVaeNormEps),
        conv_out_(root.child("encoder.conv_out"), config.block_out_channels.back(),
                  2 * config.latent_channels),
        quant_conv_(
            pointwise(root.child("quant_conv"), 2 * config.latent_channels, 2 * config.latent_channels)) {
    int64_t width = config.block_out_channels.front();
    for (size_t i = 0; i < config.block_out_channels.size(); ++i) {
      const params::ParamSource source = root.child("encoder").child("down_blocks", static_cast<int64_t>(i));
      Level level;
      for (int64_t j = 0; j < config.layers_per_block; ++j) {
        level.resnets.push_back(
            resnet(source.child("resnets", j), config, width, config.block_out_channels[i]));
        width = config.block_out_channels[i];
      }
      if (i + 1 < config.block_out_channels.size()) {
        level.resample =
            nn::Conv2d(source.child("downsamplers.0.conv"), width, width, {.stride = 2, .padding = 0});
      }
      levels_.push_back(std::move(level));
    }
  }

  Moments operator()(const at::Tensor& image_BCHW) const {
    at::Tensor h_NCHW = conv_in_(image_BCHW);
    for (const Level& level : levels_) {
      for (const nn::ResnetBlock& block : level.resnets) h_NCHW = run(block, h_NCHW);
      if (level.resample) h_NCHW = nn::downsample_asymmetric(h_NCHW, *level.resample);
    }
    h_NCHW = quant_conv_(conv_out_(at::silu(norm_out_(middle_(h_NCHW)))));
    const std::vector<at::Tensor> halves = h_NCHW.chunk(2, 1);
    return {halves[0], halves[1].clamp(kSmallestLogvar, kLargestLogvar)};
  }

 private:
  nn::Conv2d conv_in_;
  std::vector<Level> levels_;
  Middle middle_;
  nn::GroupNorm norm_out_;
  nn::Conv2d conv_out_, quant_conv_;
};

class VaeDecoder {
 public:
  VaeDecoder(const VaeConfig& config, const params::ParamSource& root)
      : post_quant_conv_(
            pointwise(root.child("post_quant_conv"), config.latent_channels, config.latent_channels)),
        conv_in_(root.child("decoder.conv_in"), config.latent_channels, config.block_out_channels.back()),
        middle_(root.child("decoder.mid_block"), config, config.block_out_channels.back()),
        norm_out_(root.child("decoder.conv_norm_out"), config.norm_num_groups,
                  config.block_out_channels.front(), kVaeNormEps),
        conv_out_(root.child("decoder.conv_out"), config.block_out_channels.front(), config.out_channels) {
    std::vector<int64_t> widths = config.block_out_channels;
    std::reverse(widths.begin(), widths.end());
    int64_t width = widths.front();
    for (size_t i = 0; i < widths.size(); ++i) {
      const params::ParamSource source = root.child("decoder").child("up_blocks", static_cast<int64_t>(i));
      Level level;
      for (int64_t j = 0; j < config.layers_per_block + 1; ++j) {
        level.resnets.push_back(resnet(source.child("resnets", j), config, width, widths[i]));
        width = widths[i];
      }
      if (i + 1 < widths.size()) level.resample = nn::Conv2d(source.child("upsamplers.0.conv"), width, width);
      levels_.push_back(std::move(level));
    }
  }

  at::Tensor operator()(const at::Tensor& latents_BCHW) const {
    at::Tensor h_NCHW = middle_(conv_in_(post_quant_conv_(latents_BCHW)));
    for (const Level& level : levels_) {
      for (const nn::ResnetBlock& block : level.resnets) h_NCHW = run(block, h_NCHW);
      if (level.resample)
        h_NCHW = nn::upsample(h_NCHW, 2 * h_NCHW.size(2), 2 * h_NCHW.size(3), *level.resample);
    }
    return conv_out_(at::silu(norm_out_(h_NCHW)));
  }

 private:
  nn::Conv2d post_quant_conv_, conv_in_;
  Middle middle_;
  std::vector<Level> levels_;
  nn::GroupNorm norm_out_;
  nn::Conv2d conv_out_;
};

AutoencoderKL::AutoencoderKL(const VaeConfig& config, const params::ParamSource& source)
    : config_(config),
      encoder_(std::make_unique<VaeEncoder>(config, source)),
      decoder_(std::make_unique<VaeDecoder>(config, source)) {}
AutoencoderKL::~AutoencoderKL() = default;
AutoencoderKL::AutoencoderKL(AutoencoderKL&&) noexcept = default;

Moments AutoencoderKL::encode(const at::Tensor& image_BCHW) const {
  const int64_t factor = config_.scale_factor();
  ZT_REQUIRE(image_BCHW.dim() == 4 && image_BCHW.size(1) == config_.in_channels &&
                 image_BCHW.size(2) % factor == 0 && image_BCHW.size(3) % factor == 0,
             "wanted pictures (B, ", config_.in_channels, ", H, W) with sides that are multiples of ", factor,
             ", got ", image_BCHW);
  return (*encoder_)(image_BCHW);
}

at::Tensor AutoencoderKL::decode(const at::Tensor& latents_BCHW) const {
  ZT_REQUIRE(latents_BCHW.dim() == 4 && latents_BCHW.size(1) == config_.latent_channels,
             "wanted latents (B, ", config_.latent_channels, ", H, W), got ", latents_BCHW);
  return (*decoder_)(latents_BCHW);
}

}  // namespace zt::models
