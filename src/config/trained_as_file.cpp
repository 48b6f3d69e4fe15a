// SPDX-License-Identifier: Apache-2.0
#include "config/trained_as_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/files/files.hpp"
#include "config/internal/settings.hpp"
#include "config/internal/value.hpp"
#include "config/internal/yaml.hpp"

namespace zt::config {
namespace {

/// Of TrainJob, in the order of the file.
constexpr auto kKeys = std::to_array<std::string_view>({"stage",
                                                        "data.width",
                                                        "data.height",
                                                        "data.n_sample_frames",
                                                        "data.pose_style",
                                                        "data.draw_hands",
                                                        "data.draw_face",
                                                        "model.motion.max_len",
                                                        "schedule.num_train_timesteps",
                                                        "schedule.beta_start",
                                                        "schedule.beta_end",
                                                        "schedule.beta_schedule",
                                                        "schedule.enable_zero_snr",
                                                        "schedule.prediction_type",
                                                        "schedule.timestep_distribution",
                                                        "schedule.timestep_power",
                                                        "schedule.noise_offset",
                                                        "schedule.snr_gamma",
                                                        "schedule.min_snr_variant",
                                                        "validation.steps",
                                                        "validation.guidance_scale",
                                                        "validation.same_noise_per_frame",
                                                        "validation.timestep_spacing",
                                                        "validation.beta_schedule"});

/// Of a value as our configuration writes it: a number or a truth value as such, else the text.
nlohmann::ordered_json json_of(const std::string& text) {
  auto value = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  return value.is_discarded() ? nlohmann::ordered_json(text) : value;
}

/// All of kKeys, and nothing else.
Status check_keys(const Batch& batch, const YamlNode& root) {
  for (const Setting& setting : batch.settings)
    if (std::ranges::find(kKeys, setting.key) == kKeys.end())
      return fail(batch.source.error(setting.node.at, fmt::format("{} does not belong here", setting.key)));
  for (const std::string_view key : kKeys)
    if (std::ranges::find(batch.settings, key, &Setting::key) == batch.settings.end())
      return fail(batch.source.error(
          root.at, fmt::format("{} is missing: export the run again, or put this file aside and give its "
                               "settings yourself",
                               key)));
  return {};
}

Result<Batch> read_batch(const std::filesystem::path& file) {
  ZT_TRY_ASSIGN(std::string text, files::read(file, kYamlLimitBytes));
  Batch batch{{file.string(), std::move(text)}, {}};
  ZT_TRY_ASSIGN(const YamlNode root, parse_yaml(batch.source));
  TrainJob keys;
  ZT_TRY_ASSIGN(batch.settings, flatten(list(keys), batch.source, root));
  ZT_TRY(check_keys(batch, root));
  return batch;
}

}  // namespace

std::filesystem::path trained_as_file(const std::filesystem::path& folder) {
  return folder / "trained_as.json";
}

std::string trained_as_json(const TrainJob& job) {
  TrainJob copy = job;
  const Listing listing = list(copy);
  nlohmann::ordered_json out;
  for (const std::string_view key : kKeys) {
    std::string pointer = fmt::format("/{}", key);
    std::ranges::replace(pointer, '.', '/');
    out[nlohmann::ordered_json::json_pointer(pointer)] = json_of(format_value(*listing.find(key)));
  }
  return out.dump(2) + "\n";
}

Result<std::optional<Trained>> read_trained_as(const std::filesystem::path& folder) {
  const std::filesystem::path file = trained_as_file(folder);
  if (files::is_absent(file)) return std::optional<Trained>{};
  ZT_TRY_ASSIGN(const Batch batch, read_batch(file));
  Trained trained{{}, folder.string(), file.string()};
  Origins origins;
  ZT_TRY(apply(list(trained.job), batch, origins));
  return std::optional(std::move(trained));
}

Result<std::vector<std::string>> take_trained_as(const std::filesystem::path& folder,
                                                 Resolved<TrainJob>& resolved) {
  const std::filesystem::path file = trained_as_file(folder);
  if (files::is_absent(file)) return std::vector<std::string>{};
  ZT_TRY_ASSIGN(Batch batch, read_batch(file));
  ZT_TRY_ASSIGN(const auto changed, apply_open(list(resolved.job), std::move(batch), resolved.origins));
  if (Status is_valid = validate(resolved.job); !is_valid)
    return fail(std::move(is_valid).error().with("with what " + file.string() + " says"));
  if (changed.empty()) return std::vector<std::string>{};
  return std::vector{fmt::format("{}, as {} says", fmt::join(changed, ", "), file.string())};
}

}  // namespace zt::config
