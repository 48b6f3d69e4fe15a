// SPDX-License-Identifier: Apache-2.0
#include "config/meaning/run_settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "config/internal/settings.hpp"
#include "config/internal/value.hpp"

namespace zt::config {
namespace {

/// Of ValidationJob.
constexpr auto kSampling = std::to_array<std::string_view>(
    {"steps", "guidance_scale", "same_noise_per_frame", "timestep_spacing", "beta_schedule"});

/// Values of a run for the same keys of the job that is listed: "key=value" of each that changed.
Result<std::vector<std::string>> take(const std::vector<KeyValue>& values, const std::string& origin,
                                      const Listing& listing, Origins& origins) {
  Batch batch;
  for (const auto& [key, value] : values) {
    ZT_TRY_ASSIGN(Batch one, default_batch(listing, key, value, origin));
    batch.source = std::move(one.source);
    batch.settings.push_back(std::move(one.settings.front()));
  }
  return apply_open(listing, std::move(batch), origins);
}

/// Of those keys, or of all.
template <class Part>
std::vector<KeyValue> values_of(Part part, std::span<const std::string_view> keys = {}) {
  std::vector<KeyValue> values;
  const Listing listing = list(part);
  for (const Field& field : listing.fields())
    if (keys.empty() || std::ranges::find(keys, field.key) != keys.end())
      values.push_back({field.key, format_value(field)});
  return values;
}

std::vector<std::string> line(const std::vector<std::string>& changed, const std::string& how) {
  if (changed.empty()) return {};
  return {fmt::format("{}, as {}", fmt::join(changed, ", "), how)};
}

/// side * numerator / denominator; of one that is no whole number, the nearest even one.
int64_t in_proportion(int64_t side, int64_t numerator, int64_t denominator) {
  const int64_t product = side * numerator;
  if (product % denominator == 0) return product / denominator;
  return 2 * std::llround(static_cast<double>(product) / static_cast<double>(denominator) / 2);
}

}  // namespace

Result<std::vector<std::string>> take_size(const Trained& trained, Resolved<GenerateJob>& resolved) {
  GenerateJob& job = resolved.job;
  const bool open_width = is_open(resolved.origins, "width"),
             open_height = is_open(resolved.origins, "height");
  if (!open_width && !open_height) return std::vector<std::string>{};
  const DataJob& data = trained.job.data;
  const int64_t width = open_height ? data.width : in_proportion(job.height, data.width, data.height);
  const int64_t height = open_width ? data.height : in_proportion(job.width, data.height, data.width);
  ZT_TRY(take({{"width", std::to_string(width)}, {"height", std::to_string(height)}}, trained.origin,
              list(job), resolved.origins));
  return std::vector{fmt::format("{}x{}, the {} that {} was trained at (-W, -H: another)", job.width,
                                 job.height, open_width && open_height ? "size" : "proportion",
                                 trained.name)};
}

template <class Job>
Result<std::vector<std::string>> take_sampling(const Trained& trained, Resolved<Job>& resolved) {
  ZT_TRY_ASSIGN(const auto changed, take(values_of(trained.job.validation, kSampling), trained.origin,
                                         list(resolved.job), resolved.origins));
  return line(changed, trained.name + " samples in its validation");
}

template Result<std::vector<std::string>> take_sampling(const Trained&, Resolved<GenerateJob>&);
template Result<std::vector<std::string>> take_sampling(const Trained&, Resolved<EvalJob>&);

Status take_schedule(const Trained& trained, Resolved<GenerateJob>& resolved) {
  std::vector<KeyValue> values = values_of(trained.job.schedule);
  for (KeyValue& value : values) value.key = "schedule." + value.key;
  ZT_TRY(take(values, trained.origin, list(resolved.job), resolved.origins));
  return {};
}

Result<std::vector<std::string>> take_drawing(const Trained& trained, Resolved<GenerateJob>& resolved) {
  ZT_TRY_ASSIGN(const auto changed, take(values_of<PoseDrawing>(trained.job.data), trained.origin,
                                         list(resolved.job), resolved.origins));
  return line(changed, trained.name + " draws poses");
}

}  // namespace zt::config
