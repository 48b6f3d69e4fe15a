// SPDX-License-Identifier: Apache-2.0
#include "config/pose_drawing_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <type_traits>

#include "base/files/files.hpp"
#include "config/internal/settings.hpp"
#include "config/internal/yaml.hpp"

namespace zt::config {

std::filesystem::path pose_drawing_file(const std::filesystem::path& folder) {
  return folder / "pose_drawing.json";
}

std::string pose_drawing_json(const PoseDrawing& drawing) {
  const nlohmann::ordered_json out = {{"pose_style", name(drawing.pose_style)},
                                      {"draw_hands", drawing.draw_hands},
                                      {"draw_face", drawing.draw_face}};
  return out.dump(2) + "\n";
}

template <class Job>
Result<std::vector<std::string>> take_pose_drawing(const std::filesystem::path& folder,
                                                   Resolved<Job>& resolved) {
  const std::filesystem::path file = pose_drawing_file(folder);
  if (files::is_absent(file)) return std::vector<std::string>{};
  ZT_TRY_ASSIGN(std::string text, files::read(file, kYamlLimitBytes));
  Batch batch{{file.string(), std::move(text)}, {}};
  ZT_TRY_ASSIGN(const YamlNode root, parse_yaml(batch.source));
  PoseDrawing keys;
  ZT_TRY_ASSIGN(batch.settings, flatten(list(keys), batch.source, root));
  if constexpr (std::is_same_v<Job, TrainJob>)
    for (Setting& setting : batch.settings) setting.key = "data." + setting.key;
  ZT_TRY_ASSIGN(const auto changed, apply_open(list(resolved.job), std::move(batch), resolved.origins));
  if (changed.empty()) return std::vector<std::string>{};
  return std::vector{fmt::format("{}, as {} says", fmt::join(changed, ", "), file.string())};
}

template Result<std::vector<std::string>> take_pose_drawing(const std::filesystem::path&,
                                                            Resolved<GenerateJob>&);
template Result<std::vector<std::string>> take_pose_drawing(const std::filesystem::path&,
                                                            Resolved<TrainJob>&);

}  // namespace zt::config
