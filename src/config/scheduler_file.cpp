// SPDX-License-Identifier: Apache-2.0
#include "config/scheduler_file.hpp"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <type_traits>

#include "base/files/files.hpp"
#include "config/internal/foreign.hpp"
#include "config/internal/settings.hpp"
#include "config/internal/yaml.hpp"

namespace zt::config {
namespace {

/// A key of diffusers' schedulers, the key of ours that its value goes to, and what it is when left out.
struct SchedulerKey {
  std::string_view theirs;
  std::string_view ours;
  std::string_view left_out;
};
constexpr std::string_view kSpacing = "timestep_spacing";
constexpr auto kSchedulerKeys = std::to_array<SchedulerKey>({
    {"num_train_timesteps", "schedule.num_train_timesteps", "1000"},
    {"beta_start", "schedule.beta_start", "0.0001"},
    {"beta_end", "schedule.beta_end", "0.02"},
    {"beta_schedule", "schedule.beta_schedule", "linear"},
    {"prediction_type", "schedule.prediction_type", "epsilon"},
    {"rescale_betas_zero_snr", "schedule.enable_zero_snr", "false"},
    {kSpacing, kSpacing, "leading"},
});

/// Settings that are built with one value only.
constexpr std::array<std::string_view, 2> kOnlyFalse = {"clip_sample", "thresholding"};
constexpr std::string_view kAdvice =
    "is not built; put the file aside and give the schedule as --set schedule.*";

template <class Job>
std::string our_key(std::string_view key) {
  return key == kSpacing && std::is_same_v<Job, TrainJob> ? fmt::format("validation.{}", key)
                                                          : std::string(key);
}

Status check_built(const Source& source, const YamlNode& root) {
  if (root.kind != YamlNode::Kind::Map) return fail(source.error(root.at, "wanted diffusers' settings"));
  for (const std::string_view key : kOnlyFalse)
    if (const YamlNode* node = root.find(key); node && !is_false(*node))
      return fail(source.error(node->at, fmt::format("{} {}", key, kAdvice)));
  if (const YamlNode* node = root.find("trained_betas"); node && node->kind != YamlNode::Kind::Null)
    return fail(source.error(node->at, fmt::format("trained_betas {}", kAdvice)));
  return {};
}

template <class Job>
Batch scheduler_settings(const Source& source, const YamlNode& root) {
  Batch batch{source, {}};
  for (const SchedulerKey& row : kSchedulerKeys) {
    const std::string key = our_key<Job>(row.ours);
    if (const YamlNode* node = root.find(row.theirs)) {
      batch.settings.push_back({key, *node, origin_of(source, node->key_at)});
      continue;
    }
    batch.settings.push_back(derived(source, root, key, std::string(row.left_out)));
    batch.settings.back().origin = fmt::format("left out of {}", source.name);
  }
  return batch;
}

}  // namespace

std::filesystem::path scheduler_file(const std::filesystem::path& folder) {
  return folder / "scheduler" / "scheduler_config.json";
}

std::string scheduler_json(const ScheduleJob& schedule, TimestepSpacing spacing) {
  const nlohmann::ordered_json out = {{"_class_name", "DDIMScheduler"},
                                      {"beta_end", schedule.beta_end},
                                      {"beta_schedule", name(schedule.beta_schedule)},
                                      {"beta_start", schedule.beta_start},
                                      {"clip_sample", false},
                                      {"clip_sample_range", 1.0},
                                      {"dynamic_thresholding_ratio", 0.995},
                                      {"num_train_timesteps", schedule.num_train_timesteps},
                                      {"prediction_type", name(schedule.prediction_type)},
                                      {"rescale_betas_zero_snr", schedule.enable_zero_snr},
                                      {"sample_max_value", 1.0},
                                      {"set_alpha_to_one", true},
                                      {"steps_offset", 1},
                                      {"thresholding", false},
                                      {kSpacing, name(spacing)},
                                      {"trained_betas", nullptr}};
  return out.dump(2) + "\n";
}

template <class Job>
Status take_scheduler(const std::filesystem::path& folder, Resolved<Job>& resolved) {
  const std::filesystem::path file = scheduler_file(folder);
  if (files::is_absent(file)) return {};
  ZT_TRY_ASSIGN(std::string text, files::read(file, kYamlLimitBytes));
  const Source source{file.string(), std::move(text)};
  ZT_TRY_ASSIGN(const YamlNode root, parse_yaml(source));
  ZT_TRY(check_built(source, root));
  ZT_TRY(apply_open(list(resolved.job), scheduler_settings<Job>(source, root), resolved.origins));
  if (Status is_valid = validate(resolved.job); !is_valid)
    return fail(std::move(is_valid).error().with("with what " + source.name + " says"));
  return {};
}

template Status take_scheduler<GenerateJob>(const std::filesystem::path&, Resolved<GenerateJob>&);
template Status take_scheduler<TrainJob>(const std::filesystem::path&, Resolved<TrainJob>&);

}  // namespace zt::config
