// SPDX-License-Identifier: Apache-2.0
// Sizes of an AutoencoderKL, from and to diffusers' config.json.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::models {

struct VaeConfig {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  std::vector<int64_t> block_out_channels = {64};
  int64_t layers_per_block = 1;
  int64_t latent_channels = 4;
  int64_t norm_num_groups = 32;
  int64_t sample_size = 32;
  double scaling_factor = 0.18215;
  std::string foreign_json = "{}";  ///< the keys of the file that no field above holds
  int64_t scale_factor() const { return int64_t{1} << (block_out_channels.size() - 1); }
};
Result<VaeConfig> parse_vae_config(std::string_view json);
std::string to_json(const VaeConfig& config);
Status validate(const VaeConfig& config);
/// Channels at picture size that the decoder holds at once: where the first resnet of its last level
/// convolves what comes from the level below: input, its activation and output, the latter two once more as
/// the convolution lays them out.
int64_t decoding_channels(const VaeConfig& config);

}  // namespace zt::models
