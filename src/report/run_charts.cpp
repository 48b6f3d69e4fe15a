// SPDX-License-Identifier: Apache-2.0
#include "report/run_charts.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

namespace zt::report {
namespace {

constexpr double kMiB = 1024.0 * 1024.0;

// Which chart a series belongs to, in the order of the page. A key that ends with '/' stands for all names
// below it. `line` is the series' name in the chart, where it is not the last part of its own.
struct ChartRule {
  std::string_view key, title, unit = "", line = "";
  double divisor = 1;
  bool is_logarithmic = false;
};
constexpr ChartRule kChartRules[] = {
    {"train/loss", "Training loss", "", "each step"},
    {"train/loss_ema", "Training loss", "", "smoothed"},
    {"val/loss", "Validation loss", "fixed noise and timesteps", "validation"},
    {"train/loss_t/", "Training loss by timestep", "smoothed"},
    {"train/lr", "Learning rate", "", "learning rate"},
    {"train/samples_per_s", "Speed", "samples per second", "speed"},
    {"train/grad_norm", "Gradient norm", "before clipping", "all parameters"},
    {"train/grad_norm/", "Gradient norm by module", "before clipping, logarithmic", "", 1, true},
    {"train/loss_scale", "Loss scale", "", "loss scale"},
    {"time/", "Time of a step", "seconds"},
    {"memory/", "Memory", "MiB", "", kMiB},
    {"comm/", "Sent to other ranks", "MiB in a step, by the first rank", "", kMiB},
};

const ChartRule* rule_for(std::string_view name) {
  const auto rule = std::find_if(std::begin(kChartRules), std::end(kChartRules), [&](const ChartRule& r) {
    return name == r.key || (r.key.ends_with('/') && name.starts_with(r.key));
  });
  return rule == std::end(kChartRules) ? nullptr : &*rule;
}

Chart chart_for(const std::string& name, const ChartRule* rule) {
  if (rule) return {std::string(rule->title), std::string(rule->unit), {}, rule->is_logarithmic};
  return {name.substr(0, name.rfind('/')), "", {}, false};
}

size_t place_of(const Chart& chart) {
  const auto rule = std::find_if(std::begin(kChartRules), std::end(kChartRules),
                                 [&](const ChartRule& r) { return r.title == chart.title; });
  return static_cast<size_t>(rule - std::begin(kChartRules));
}

// "peak tensor" of "memory/peak_tensor_bytes": the chart says the unit. Names of modules stay as they are.
std::string line_name(const std::string& name, const ChartRule* rule) {
  if (rule && !rule->line.empty()) return std::string(rule->line);
  std::string last = name.substr(name.rfind('/') + 1);
  for (const std::string_view unit : {"_bytes", "_s"})
    if (rule && last.ends_with(unit)) last.resize(last.size() - unit.size());
  if (last.find('.') == std::string::npos) std::replace(last.begin(), last.end(), '_', ' ');
  return last;
}

double sum_of(const contract::MetricSeries& series, std::string_view name) {
  double sum = 0;
  if (const auto found = series.by_name.find(name); found != series.by_name.end())
    for (const auto& point : found->second) sum += point.value;
  return sum;
}

}  // namespace

std::vector<Chart> charts_of(const contract::MetricSeries& series) {
  std::vector<Chart> charts;
  for (const auto& [name, points] : series.by_name) {
    const ChartRule* rule = rule_for(name);
    Chart wanted = chart_for(name, rule);
    auto chart =
        std::find_if(charts.begin(), charts.end(), [&](const Chart& c) { return c.title == wanted.title; });
    if (chart == charts.end()) chart = charts.insert(charts.end(), std::move(wanted));
    Line line{line_name(name, rule), {}, name == "train/loss"};
    for (const auto& p : points)
      line.points.push_back({static_cast<double>(p.step), p.value / (rule ? rule->divisor : 1)});
    chart->lines.push_back(std::move(line));
  }
  std::stable_sort(charts.begin(), charts.end(),
                   [](const Chart& a, const Chart& b) { return place_of(a) < place_of(b); });
  return charts;
}

std::vector<TimeShare> time_of_a_step(const contract::MetricSeries& series) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kParts{
      {{"time/data_s", "waiting for data"},
       {"time/forward_s", "forward"},
       {"time/backward_s", "backward"},
       {"time/optimizer_s", "optimizer"},
       {"time/save_s", "saving"}}};
  const auto steps = series.by_name.find("time/step_s");
  if (steps == series.by_name.end() || steps->second.empty()) return {};
  const auto count = static_cast<double>(steps->second.size());
  // Most of a save's stall falls between two steps.
  double rest = (sum_of(series, "time/step_s") + sum_of(series, "time/save_s")) / count;
  std::vector<TimeShare> shares;
  for (const auto& [key, name] : kParts) {
    const double seconds = sum_of(series, key) / count;
    shares.push_back({std::string(name), seconds});
    rest -= seconds;
  }
  shares.push_back({"rest", std::max(rest, 0.0)});
  return shares;
}

}  // namespace zt::report
