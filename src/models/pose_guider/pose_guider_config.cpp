// SPDX-License-Identifier: Apache-2.0
// PoseGuiderConfig from and to JSON: see pose_guider.hpp.
#include <nlohmann/json.hpp>

#include "models/internal/config_reader.hpp"
#include "models/pose_guider/pose_guider.hpp"

namespace zt::models {

Result<PoseGuiderConfig> parse_pose_guider_config(std::string_view json) {
  ZT_TRY_ASSIGN(auto reader, internal::ConfigReader::parse(json, "PoseGuider config.json"));
  PoseGuiderConfig config;
  reader.read("conditioning_embedding_channels", config.embedding_channels);
  reader.read("conditioning_channels", config.in_channels);
  reader.read("block_out_channels", config.block_out_channels);
  ZT_TRY(reader.status());
  for (const int64_t width : config.block_out_channels) {
    if (width == 0) reader.refuse("block_out_channels", "widths of 1 or more");
  }
  if (config.embedding_channels == 0) reader.refuse("conditioning_embedding_channels", "1 or more");
  if (config.in_channels == 0) reader.refuse("conditioning_channels", "1 or more");
  ZT_TRY(reader.status());
  return config;
}

std::string to_json(const PoseGuiderConfig& config) {
  const nlohmann::ordered_json out = {{"_class_name", "PoseGuider"},
                                      {"conditioning_embedding_channels", config.embedding_channels},
                                      {"conditioning_channels", config.in_channels},
                                      {"block_out_channels", config.block_out_channels}};
  return out.dump(2) + "\n";
}

}  // namespace zt::models
