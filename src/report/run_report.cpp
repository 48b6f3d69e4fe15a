// SPDX-License-Identifier: Apache-2.0
#include "report/run_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/files.hpp"
#include "base/text.hpp"
#include "contract/events.hpp"
#include "contract/manifest.hpp"
#include "contract/run_state.hpp"
#include "report/html.hpp"

namespace zt::report {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMaxClips = 12;
constexpr size_t kMaxEvents = 60;

std::string optional_text(const std::optional<double>& value) {
  return value ? fmt::format("{:.4g}", *value) : "";
}

std::string head(const contract::Identity& id, const contract::RunState& state) {
  std::string out = fmt::format("<h1>{}<span class=\"state\">{}</span></h1>\n", escaped(id.run_id),
                                contract::name(state.condition));
  out += fmt::format("<p class=\"lead\">{}, made {}{}</p>\n", escaped(id.kind),
                     escaped(id.created_at.substr(0, 16)),
                     id.parent.empty() ? "" : fmt::format(" from {}", escaped(id.parent)));
  if (!state.message.empty()) out += fmt::format("<pre>{}</pre>\n", escaped(state.message));
  out += facts({{"step", state.total_steps > 0 ? fmt::format("{} of {}", state.step, state.total_steps)
                                               : fmt::format("{}", state.step)},
                {"training loss", optional_text(state.train_loss)},
                {"validation loss", optional_text(state.validation_loss)},
                {"best validation loss", optional_text(state.best_loss)},
                {"launches", fmt::format("{}", state.generation)}});
  return out;
}

std::string curves(const contract::MetricSeries& series) {
  std::string out = "<div class=\"charts\">\n";
  for (const Chart& chart : charts_of(series)) out += to_svg(chart);
  return out + "</div>\n";
}

// Newest first, by name: names carry the step.
std::vector<fs::path> newest_samples(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec))
    if (entry.is_regular_file()) found.push_back(entry.path());
  std::sort(found.rbegin(), found.rend());
  found.resize(std::min(found.size(), kMaxClips));
  return found;
}

std::string samples(const fs::path& folder) {
  const auto found = newest_samples(folder);
  if (found.empty()) return "";
  std::string out = "<h2>Validation samples</h2>\n<div class=\"clips\">\n";
  for (const fs::path& file : found) out += media_figure(file, file.filename().string());
  return out + "</div>\n";
}

std::string checkpoints(const contract::RunFolder& run) {
  std::vector<std::vector<std::string>> rows{{"checkpoint", "size", "written", "validation loss", ""}};
  for (const auto& entry : contract::list_checkpoints(run.checkpoints())) {
    const auto loss = entry.metrics.find("val_loss");
    rows.push_back({entry.folder.filename().string(), text::bytes(entry.size_bytes),
                    entry.written_at.substr(0, 19),
                    loss == entry.metrics.end() ? "-" : fmt::format("{:.5g}", loss->second),
                    entry.defect ? entry.defect->message : ""});
  }
  return rows.size() == 1 ? "" : "<h2>Checkpoints</h2>\n" + table(rows);
}

bool is_worth_a_row(const contract::Event& event) {
  return !std::holds_alternative<contract::CheckpointRemoved>(event.body);
}

// The event's own fields as they stand in its line, without the common ones.
std::string details(const contract::Event& event) {
  const size_t body = event.json.find("\"type\"");
  if (body == std::string::npos) return event.json;
  const size_t next = event.json.find(',', body);
  return next == std::string::npos ? "" : event.json.substr(next + 1, event.json.rfind('}') - next - 1);
}

std::string happenings(const contract::EventLog& log) {
  std::vector<std::vector<std::string>> rows{{"time", "launch", "event", "details"}};
  for (const auto& event : log.events) {
    if (!is_worth_a_row(event)) continue;
    rows.push_back({event.time.substr(0, 19), fmt::format("{}", event.generation),
                    std::string(contract::type_name(event.body)), details(event)});
  }
  if (rows.size() == 1) return "";
  const size_t left_out = rows.size() - 1 > kMaxEvents ? rows.size() - 1 - kMaxEvents : 0;
  rows.erase(rows.begin() + 1, rows.begin() + 1 + static_cast<std::ptrdiff_t>(left_out));
  const std::string note =
      left_out > 0 ? fmt::format("<p class=\"none\">{} earlier events are in events/</p>\n", left_out) : "";
  return "<h2>What happened</h2>\n" + note + table(rows);
}

std::string configuration(const contract::RunFolder& run) {
  const auto yaml = files::read(run.run_yaml());
  const auto& id = run.identity();
  std::vector<std::pair<std::string, std::string>> about(id.environment.begin(), id.environment.end());
  about.emplace_back("code", id.code_version);
  about.emplace_back("configuration digest", id.config_digest);
  return "<h2>Where and how</h2>\n" + facts(about) +
         fmt::format("<details><summary>run.yaml</summary><pre>{}</pre></details>\n",
                     yaml ? escaped(*yaml) : escaped(yaml.error().message));
}

// Which chart a series belongs to, in the order of the page. A key that ends with '/' stands for all names
// below it.
struct ChartRule {
  std::string_view key, title, unit;
};
constexpr ChartRule kChartRules[] = {
    {"train/loss", "Training loss", ""},
    {"train/loss_ema", "Training loss", ""},
    {"val/loss", "Validation loss", "fixed noise and timesteps"},
    {"train/loss_t/", "Training loss by timestep", "smoothed"},
    {"train/grad_norm", "Gradient norm", ""},
    {"train/grad_norm/", "Gradient norm by module", ""},
    {"train/lr", "Learning rate", ""},
    {"train/samples_per_s", "Speed", "samples per second"},
    {"time/", "Time of a step", "seconds"},
    {"memory/", "Memory", "bytes"},
};

Chart chart_for(const std::string& name) {
  for (const ChartRule& rule : kChartRules)
    if (name == rule.key || (rule.key.ends_with('/') && name.starts_with(rule.key)))
      return {std::string(rule.title), std::string(rule.unit), {}, false};
  const size_t slash = name.rfind('/');
  return {slash == std::string::npos ? name : name.substr(0, slash), "", {}, false};
}

size_t place_of(const Chart& chart) {
  const auto rule = std::find_if(std::begin(kChartRules), std::end(kChartRules),
                                 [&](const ChartRule& r) { return r.title == chart.title; });
  return static_cast<size_t>(rule - std::begin(kChartRules));
}

}  // namespace

std::vector<Chart> charts_of(const contract::MetricSeries& series) {
  std::vector<Chart> charts;
  for (const auto& [name, points] : series.by_name) {
    Chart wanted = chart_for(name);
    auto chart =
        std::find_if(charts.begin(), charts.end(), [&](const Chart& c) { return c.title == wanted.title; });
    if (chart == charts.end()) chart = charts.insert(charts.end(), std::move(wanted));
    Line line{name.substr(name.rfind('/') + 1), {}, name == "train/loss"};
    for (const auto& p : points) line.points.push_back({static_cast<double>(p.step), p.value});
    chart->lines.push_back(std::move(line));
  }
  std::stable_sort(charts.begin(), charts.end(),
                   [](const Chart& a, const Chart& b) { return place_of(a) < place_of(b); });
  return charts;
}

Result<std::string> run_page(const contract::RunFolder& run, const std::vector<Section>& extra) {
  ZT_TRY_ASSIGN(const auto state, contract::run_state(run));
  ZT_TRY_ASSIGN(const auto series, contract::read_metrics(run.metrics()));
  ZT_TRY_ASSIGN(const auto events, contract::read_events(run.events()));
  std::string body = head(run.identity(), state);
  for (const Section& section : extra)
    body += fmt::format("<h2>{}</h2>\n{}", escaped(section.title), section.html);
  body += "<h2>Curves</h2>\n" + curves(series);
  body += samples(run.samples()) + checkpoints(run) + happenings(events) + configuration(run);
  return page(run.identity().run_id, body);
}

Status write_run_report(const contract::RunFolder& run) {
  ZT_TRY_ASSIGN(const std::string html, run_page(run));
  return files::write_atomic(run.report(), html);
}

}  // namespace zt::report
