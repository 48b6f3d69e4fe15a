// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/quickstart/quickstart_page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <variant>
#include <vector>

#include "base/files/files.hpp"
#include "contract/events.hpp"
#include "contract/metrics.hpp"
#include "data/eval/report.hpp"
#include "quality/score.hpp"
#include "report/html.hpp"
#include "report/run_charts.hpp"
#include "report/run_report.hpp"

namespace zt::cli {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMaxClips = 16;

std::vector<fs::path> videos_of(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code ec;
  for (fs::directory_iterator entry(folder, ec), end; !ec && entry != end; entry.increment(ec))
    if (entry->path().extension() == ".mp4") found.push_back(entry->path());
  std::sort(found.begin(), found.end());
  found.resize(std::min(found.size(), kMaxClips));
  return found;
}

std::string clips(const fs::path& folder) {
  std::string out = "<div class=\"clips\">\n";
  for (const fs::path& video : videos_of(folder)) out += report::media_figure(video, video.stem().string());
  return out + "</div>\n";
}

std::string mean_text(const quality::Interval& interval) {
  return fmt::format("{:.3g} ± {:.2g}", interval.mean, (interval.high - interval.low) / 2);
}

// Rows are measures, columns the ways the clips were made.
std::string measures(const data::EvalReport& evaluation) {
  std::vector<std::vector<std::string>> rows{{"measure"}};
  for (const auto& group : evaluation.groups) rows.front().push_back(group.name);
  for (const quality::MetricInfo& info : quality::metric_infos()) {
    std::vector<std::string> row{std::string(info.title) +
                                 (info.unit.empty() ? "" : fmt::format(", {}", info.unit))};
    bool is_known = false;
    for (const auto& group : evaluation.groups) {
      const auto summary = quality::summarize(group.clips);
      const auto found = std::find_if(summary.begin(), summary.end(),
                                      [&](const auto& s) { return s.metric == info.metric; });
      is_known |= found != summary.end();
      row.push_back(found == summary.end() ? "-" : mean_text(found->interval));
    }
    if (is_known) rows.push_back(std::move(row));
  }
  return report::table(rows);
}

std::string comparisons(const data::EvalReport& evaluation) {
  std::vector<std::vector<std::string>> rows{{"difference", "measure", "mean", "95 % interval"}};
  for (const auto& c : evaluation.comparisons)
    rows.push_back({c.a + " - " + c.b, std::string(quality::metric_info(c.metric).title),
                    fmt::format("{:.3g}", c.t.mean), fmt::format("[{:.3g}, {:.3g}]", c.t.low, c.t.high)});
  return rows.size() == 1 ? "" : report::table(rows);
}

std::string how_made(const data::EvalReport& evaluation) {
  std::string out = "<ul>";
  for (const auto& group : evaluation.groups)
    out += fmt::format("<li><b>{}</b>: {}</li>", report::escaped(group.name), report::escaped(group.about));
  return out + "</ul>\n";
}

Result<std::string> stage1_curves(const contract::RunFolder& run) {
  ZT_TRY_ASSIGN(const auto series, contract::read_metrics(run.metrics()));
  std::string out = "<div class=\"charts\">\n";
  for (const report::Chart& chart : report::charts_of(series)) out += report::to_svg(chart);
  return out + "</div>\n";
}

}  // namespace

std::string cut_short(std::string_view what, const contract::RunFolder& run) {
  const auto log = contract::read_events(run.events());
  if (!log) return {};
  std::string out;
  for (const contract::Event& event : log->events) {
    if (const auto* changed = std::get_if<contract::ScheduleChanged>(&event.body))
      out = fmt::format(
          "<p><b>{} was cut short</b>, {}: this machine was too slow, or too busy, for all steps in the time "
          "that quickstart has. The pictures are worse for it.</p>\n",
          what, report::escaped(changed->reason));
  }
  return out;
}

Status write_quickstart_page(const fs::path& page, const QuickstartResults& results) {
  ZT_TRY_ASSIGN(const std::string json, files::read_regular(results.evaluation / "eval.json"));
  ZT_TRY_ASSIGN(const auto evaluation, data::parse_eval_report(json));
  ZT_TRY_ASSIGN(std::string curves, stage1_curves(results.stage1));
  const std::vector<report::Section> sections{
      {"Characters and motions that training has not seen: generated beside the truth",
       cut_short("Stage 1", results.stage1) + cut_short("Stage 2", results.stage2) +
           clips(results.evaluation)},
      {"One character in another's motion", clips(results.videos)},
      {"Measured", how_made(evaluation) + measures(evaluation) + comparisons(evaluation)},
      {"Stage 1 (" + results.stage1.identity().run_id + ")", std::move(curves)},
  };
  ZT_TRY_ASSIGN(const std::string html, report::run_page(results.stage2, sections));
  return files::write_atomic(page, html);
}

}  // namespace zt::cli
