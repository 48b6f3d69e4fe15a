// SPDX-License-Identifier: Apache-2.0
// The shape of a UNet of the Stable Diffusion 1 family, as diffusers' config.json writes it for 2-D nets and
// Moore-AnimateAnyone for 3-D ones. Keys the file leaves out take the class's defaults; keys we do not know
// are kept and written back. A key whose value we cannot compute (class embeddings, another activation, ...)
// is an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::models {

/// Motion modules (temporal attention) of the denoising UNet.
struct MotionConfig {
  bool enabled = false;
  bool mid_block = false;
  bool decoder_only = false;
  std::vector<int64_t> resolutions = {1, 2, 4, 8};  ///< down factors of the levels that have them
  int64_t num_heads = 8;
  int64_t num_blocks = 1;      ///< transformer blocks per module
  int64_t num_attentions = 2;  ///< temporal self-attentions per block
  bool position_encoding = true;
  int64_t max_positions = 24;  ///< rows of the saved pe; longer clips extend it
  int64_t attention_dim_div = 1;
  int64_t norm_num_groups = 32;  ///< the reference hard-codes 32 whatever the UNet's groups are
  bool zero_initialize = true;   ///< proj_out starts at zero

  bool operator==(const MotionConfig&) const = default;
};

struct UNetConfig {
  int64_t sample_size = 64;
  int64_t in_channels = 4;
  int64_t out_channels = 4;
  bool flip_sin_to_cos = true;
  double freq_shift = 0;
  std::vector<int64_t> block_out_channels = {320, 640, 1280, 1280};
  std::vector<bool> down_has_attention = {true, true, true, false};  ///< from down_block_types
  std::vector<bool> up_has_attention = {false, true, true, true};    ///< from up_block_types
  std::vector<int64_t> layers_per_block = {2, 2, 2, 2};
  std::vector<int64_t> num_heads = {8, 8, 8, 8};  ///< per level; diffusers calls it attention_head_dim
  int64_t downsample_padding = 1;
  int64_t norm_num_groups = 32;
  double norm_eps = 1e-5;
  int64_t cross_attention_dim = 768;
  bool use_linear_projection = false;
  /// 3-D: residual-block norms per frame (true, what released weights need) or over all frames of a clip.
  bool use_inflated_groupnorm = true;
  MotionConfig motion;
  std::string foreign_json = "{}";  ///< the keys of the file that no field above holds

  int64_t num_levels() const { return static_cast<int64_t>(block_out_channels.size()); }
  int64_t time_embedding_width() const { return 4 * block_out_channels.front(); }
  bool has_motion_at(int64_t level, bool is_up) const;
  /// The same net without motion modules: ReferenceNet, or the denoising UNet of stage 1.
  UNetConfig without_motion() const;

  bool operator==(const UNetConfig&) const = default;
};

/// Errors: InvalidConfig with the key, what was wanted and found.
Result<UNetConfig> parse_unet_config(std::string_view json);
enum class UNetClass { Reference2D, Denoising3D };
/// config.json as diffusers (2-D) or the reference (3-D) would write it.
std::string to_json(const UNetConfig& config, UNetClass kind);
/// Field rules beyond types: equal list lengths, widths divisible by groups and heads.
Status validate(const UNetConfig& config);

}  // namespace zt::models
