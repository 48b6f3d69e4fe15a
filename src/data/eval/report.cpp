// SPDX-License-Identifier: Apache-2.0
#include "data/eval/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/text/json_reason.hpp"

namespace zt::data {
namespace {

using Json = nlohmann::ordered_json;
using quality::Interval;
using quality::Metric;
using quality::MetricInfo;

// JSON has no infinities and no NaN: they are null.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json to_json(const Interval& interval) {
  return {{"mean", number(interval.mean)},
          {"low", number(interval.low)},
          {"high", number(interval.high)},
          {"count", interval.count}};
}

Json to_json(const EvalGroup& group) {
  Json summary = Json::object(), clips = Json::array();
  for (const auto& row : quality::summarize(group.clips))
    summary[std::string(quality::metric_info(row.metric).key)] = to_json(row.interval);
  for (const quality::ClipScores& scores : group.clips) {
    Json values = Json::object();
    for (const MetricInfo& info : quality::metric_infos())
      if (const auto value = scores[info.metric]) values[std::string(info.key)] = number(*value);
    clips.push_back(std::move(values));
  }
  return {{"name", group.name}, {"about", group.about}, {"summary", summary}, {"clips", clips}};
}

Interval parse_interval(const Json& json) {
  const auto bound = [&](const char* key, double otherwise) {
    return json.at(key).is_null() ? otherwise : json.at(key).get<double>();
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return {bound("mean", std::numeric_limits<double>::quiet_NaN()), bound("low", -kInfinity),
          bound("high", kInfinity), json.at("count").get<int64_t>()};
}

const MetricInfo* find_metric(const std::string& key) {
  const auto infos = quality::metric_infos();
  const auto found =
      std::find_if(infos.begin(), infos.end(), [&](const MetricInfo& info) { return info.key == key; });
  return found == infos.end() ? nullptr : &*found;
}

EvalGroup parse_group(const Json& json) {
  EvalGroup group{json.at("name"), json.at("about"), {}};
  for (const Json& values : json.at("clips")) {
    quality::ClipScores scores{std::vector<std::optional<double>>(quality::metric_infos().size())};
    // A measure that this program does not know is left out.
    for (const auto& [key, value] : values.items())
      if (const MetricInfo* info = find_metric(key); info != nullptr && value.is_number())
        scores.values[static_cast<size_t>(info->metric)] = value.get<double>();
    group.clips.push_back(std::move(scores));
  }
  return group;
}

EvalReport parse(const Json& json) {
  EvalReport report;
  for (const Json& clip : json.at("clips")) report.clips.push_back({clip.at("id"), clip.at("video")});
  for (const Json& group : json.at("groups")) report.groups.push_back(parse_group(group));
  for (const Json& item : json.at("comparisons"))
    if (const MetricInfo* info = find_metric(item.at("metric")))
      report.comparisons.push_back({item.at("a"), item.at("b"), info->metric, parse_interval(item.at("t")),
                                    parse_interval(item.at("bootstrap"))});
  // Reports of before these were named there leave them out.
  for (const Json& clip : json.value("left_out", Json::array()))
    report.left_out.push_back({clip.at("id"), clip.at("reason")});
  if (const auto levels = json.find("mask_threshold_levels"); levels != json.end())
    report.mask_threshold_levels = levels->get<int>();
  return report;
}

const EvalGroup& group_of(const EvalReport& report, std::string_view name) {
  return *std::find_if(report.groups.begin(), report.groups.end(),
                       [&](const EvalGroup& group) { return group.name == name; });
}

std::string plus_minus(const Interval& interval) {
  const double half = (interval.high - interval.low) / 2;
  if (!std::isfinite(half)) return fmt::format("{:.3f}", interval.mean);
  return fmt::format("{:.3f} +- {:.3f}", interval.mean, half);
}

std::string convention(const EvalReport& report, const MetricInfo& info) {
  if (info.metric != Metric::MaskIou || !report.mask_threshold_levels) return std::string(info.convention);
  return fmt::format("{} (mask threshold: {} of 255 levels)", info.convention, *report.mask_threshold_levels);
}

std::string title(const MetricInfo& info) {
  return info.unit.empty() ? std::string(info.title) : fmt::format("{} [{}]", info.title, info.unit);
}

}  // namespace

int mask_threshold_levels(double mask_threshold) {
  constexpr double kLevels = 255;
  return static_cast<int>(std::lround(mask_threshold * kLevels));
}

void add_comparison(EvalReport& report, std::string_view a, std::string_view b, Metric metric) {
  const EvalGroup &group_a = group_of(report, a), &group_b = group_of(report, b);
  std::vector<double> values_a, values_b;
  for (size_t i = 0; i < group_a.clips.size(); ++i) {
    const auto value_a = group_a.clips[i][metric], value_b = group_b.clips[i][metric];
    if (!value_a || !value_b) continue;
    values_a.push_back(*value_a);
    values_b.push_back(*value_b);
  }
  if (values_a.empty()) return;
  report.comparisons.push_back({std::string(a), std::string(b), metric, quality::paired_t(values_a, values_b),
                                quality::paired_bootstrap(values_a, values_b)});
}

std::string to_json(const EvalReport& report) {
  Json metrics = Json::array(), clips = Json::array(), groups = Json::array(), comparisons = Json::array();
  for (const MetricInfo& info : quality::metric_infos())
    metrics.push_back({{"key", info.key},
                       {"title", info.title},
                       {"unit", info.unit},
                       {"larger_is_better", info.larger_is_better},
                       {"convention", convention(report, info)}});
  for (const EvalClip& clip : report.clips) clips.push_back({{"id", clip.id}, {"video", clip.video}});
  for (const EvalGroup& group : report.groups) groups.push_back(to_json(group));
  for (const EvalComparison& item : report.comparisons)
    comparisons.push_back({{"a", item.a},
                           {"b", item.b},
                           {"metric", quality::metric_info(item.metric).key},
                           {"t", to_json(item.t)},
                           {"bootstrap", to_json(item.bootstrap)}});
  Json left_out = Json::array();
  for (const EvalLeftOut& clip : report.left_out)
    left_out.push_back({{"id", clip.id}, {"reason", clip.reason}});
  Json json = {{"version", EvalReport::kVersion}, {"clips", clips},     {"groups", groups},
               {"comparisons", comparisons},      {"metrics", metrics}, {"left_out", left_out}};
  if (report.mask_threshold_levels) json["mask_threshold_levels"] = *report.mask_threshold_levels;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<EvalReport> parse_eval_report(std::string_view text) {
  const auto damaged = [](std::string_view why) {
    return fail(ErrorCode::Corrupt, fmt::format("the evaluation's report can't be read: {}", why));
  };
  try {
    const Json json = Json::parse(text);
    if (json.at("version") != EvalReport::kVersion)
      return fail(ErrorCode::Unsupported, "the evaluation's report is of another version");
    EvalReport report = parse(json);
    for (const EvalGroup& group : report.groups)
      if (group.clips.size() != report.clips.size())
        return damaged(
            fmt::format("group {} has {} clips of {}", group.name, group.clips.size(), report.clips.size()));
    return report;
  } catch (const Json::exception& error) {
    return damaged(json_reason(error));
  }
}

std::string eval_table(const EvalReport& report) {
  std::string text = fmt::format("{:<34}", fmt::format("{} clips, mean +- 95 %", report.clips.size()));
  for (const EvalGroup& group : report.groups) text += fmt::format("{:>20}", group.name);
  std::string conventions;
  for (const MetricInfo& info : quality::metric_infos()) {
    std::string row;
    bool has_any = false;
    for (const EvalGroup& group : report.groups) {
      const auto table = quality::summarize(group.clips);
      const auto cell = std::find_if(table.begin(), table.end(),
                                     [&](const auto& entry) { return entry.metric == info.metric; });
      has_any = has_any || cell != table.end();
      row += fmt::format("{:>20}", cell == table.end() ? "-" : plus_minus(cell->interval));
    }
    if (!has_any) continue;
    text += fmt::format("\n{:<34}{}", title(info), row);
    conventions += fmt::format("\n  {}: {}", info.title, convention(report, info));
  }
  for (const EvalComparison& item : report.comparisons)
    text += fmt::format("\n{} - {}, {}: {:+.3f}, 95 % [{:+.3f}, {:+.3f}] (t), [{:+.3f}, {:+.3f}] (bootstrap)",
                        item.a, item.b, title(quality::metric_info(item.metric)), item.t.mean, item.t.low,
                        item.t.high, item.bootstrap.low, item.bootstrap.high);
  for (const EvalGroup& group : report.groups) text += fmt::format("\n  {}: {}", group.name, group.about);
  for (const EvalLeftOut& clip : report.left_out)
    text += fmt::format("\nleft out: {}: {}", clip.id, clip.reason);
  return text + conventions + "\n";
}

}  // namespace zt::data
