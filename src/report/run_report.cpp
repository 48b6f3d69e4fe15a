// SPDX-License-Identifier: Apache-2.0
#include "report/run_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/files/files.hpp"
#include "base/text/text.hpp"
#include "config/load.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/events.hpp"
#include "contract/manifest.hpp"
#include "contract/run_state.hpp"
#include "report/happenings.hpp"
#include "report/html.hpp"
#include "report/run_charts.hpp"

namespace zt::report {
namespace {

namespace fs = std::filesystem;
constexpr size_t kMaxClips = 12;
constexpr size_t kMaxEvents = 60;

// "2026-11-24 16:20:05" of an ISO 8601 time.
std::string text_of_time(std::string_view iso) {
  std::string out(iso.substr(0, 19));
  std::replace(out.begin(), out.end(), 'T', ' ');
  return out;
}

std::string optional_text(const std::optional<double>& value) {
  return value ? fmt::format("{:.4g}", *value) : "";
}

/// Everything a page is made of.
struct RunRecords {
  const contract::RunFolder& run;
  contract::RunState state;
  contract::MetricSeries series;
  contract::EventLog events;
  std::optional<config::TrainJob> job;  ///< none if its file can't be read
};

Result<RunRecords> read(const contract::RunFolder& run) {
  ZT_TRY_ASSIGN(auto state, contract::run_state(run));
  ZT_TRY_ASSIGN(auto series, contract::read_metrics(run.metrics()));
  ZT_TRY_ASSIGN(auto events, contract::read_events(run.events()));
  RunRecords records{run, std::move(state), std::move(series), std::move(events), std::nullopt};
  ZT_TRY_ASSIGN(const auto file, run.config_file(records.state.generation));
  if (auto job = config::thaw<config::TrainJob>(file)) records.job = *job;
  return records;
}

std::string what_trains(const RunRecords& r) {
  if (!r.job) return r.run.identity().kind;
  const config::DataJob& data = r.job->data;
  const std::string what =
      r.job->stage == 1
          ? "Stage 1: single pictures train ReferenceNet, the denoising network and the pose guider"
          : fmt::format("Stage 2: clips of {} frames train the motion modules", data.n_sample_frames);
  return fmt::format("{}, at {} x {} pixels, {} a batch, on {}", what, data.width, data.height, data.train_bs,
                     r.job->device);
}

std::string parameters(const contract::EventLog& log) {
  for (auto event = log.events.rbegin(); event != log.events.rend(); ++event)
    if (const auto* ready = std::get_if<contract::AttemptReady>(&event->body))
      return fmt::format("{:.3g} million", static_cast<double>(ready->trainable_parameters) / 1e6);
  return "";
}

std::string head(const RunRecords& r) {
  const contract::Identity& id = r.run.identity();
  const contract::RunState& state = r.state;
  const int64_t total = state.total_steps > 0 ? state.total_steps : r.job ? r.job->max_train_steps : 0;
  std::string out = fmt::format("<h1>{}<span class=\"state\">{}</span></h1>\n", escaped(id.run_id),
                                contract::name(state.condition));
  out += fmt::format("<p class=\"lead\">{}.<br>Made {} UTC{}</p>\n", escaped(what_trains(r)),
                     escaped(text_of_time(id.created_at)),
                     id.parent.empty() ? "" : fmt::format(", from {}", escaped(id.parent)));
  if (!state.message.empty()) out += fmt::format("<pre>{}</pre>\n", escaped(state.message));
  return out + facts({{"step", total > 0 ? fmt::format("{} of {}", state.step, total)
                                         : fmt::format("{}", state.step)},
                      {"training loss", optional_text(state.train_loss)},
                      {"validation loss", optional_text(state.validation_loss)},
                      {"best validation loss", optional_text(state.best_loss)},
                      {"samples per second", optional_text(state.samples_per_s)},
                      {"parameters that train", parameters(r.events)},
                      {"launches", fmt::format("{}", state.generation)}});
}

std::string curves(const contract::MetricSeries& series) {
  if (series.by_name.empty()) return "<p class=\"none\">There are no numbers yet.</p>\n";
  std::string out = "<div class=\"charts\">\n";
  for (const Chart& chart : charts_of(series)) out += to_svg(chart);
  return out + "</div>\n";
}

// One bar, cut in proportion.
std::string time_split(const contract::MetricSeries& series) {
  const auto shares = time_of_a_step(series);
  double total = 0;
  for (const TimeShare& share : shares) total += share.seconds;
  if (!(total > 0)) return "";
  std::string bar, legend;
  for (size_t i = 0; i < shares.size(); ++i) {
    const double percent = 100 * shares[i].seconds / total;
    bar += fmt::format(R"html(<i style="width:{:.2f}%;background:var(--line-{})"></i>)html", percent, i);
    legend += fmt::format(
        R"html(<li><i style="background:var(--line-{})"></i>{} <b>{:.1f} %</b>, {:.4g} ms</li>)html", i,
        escaped(shares[i].name), percent, 1e3 * shares[i].seconds);
  }
  return fmt::format(
      "<h2>Where the time of a step goes</h2>\n<figure><figcaption>{:.4g} ms <small>on "
      "average</small></figcaption><div class=\"split\">{}</div><ul class=\"legend\">{}</ul></figure>\n",
      1e3 * total, bar, legend);
}

// Newest first, by name: names carry the step.
std::vector<fs::path> newest_samples(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code ec;
  for (fs::directory_iterator entry(folder, ec), end; !ec && entry != end; entry.increment(ec))
    if (std::error_code unreadable; entry->is_regular_file(unreadable)) found.push_back(entry->path());
  std::sort(found.rbegin(), found.rend());
  found.resize(std::min(found.size(), kMaxClips));
  return found;
}

std::string samples(const fs::path& folder) {
  const auto found = newest_samples(folder);
  if (found.empty()) return "";
  std::string out =
      "<h2>Validation samples</h2>\n<p class=\"none\">From left to right: reference, pose, generated, truth. "
      "Newest first.</p>\n<div class=\"clips\">\n";
  for (const fs::path& file : found) out += media_figure(file, file.stem().string());
  return out + "</div>\n";
}

std::string checkpoints(const contract::RunFolder& run) {
  std::vector<std::vector<std::string>> rows{{"checkpoint", "size", "written (UTC)", "validation loss", ""}};
  for (const auto& entry : contract::list_checkpoints(run.checkpoints())) {
    const auto loss = entry.metrics.find(contract::kValidationLoss);
    rows.push_back({entry.folder.filename().string(), text::bytes(entry.size_bytes()),
                    text_of_time(entry.written_at),
                    loss == entry.metrics.end() ? "-" : fmt::format("{:.5g}", loss->second),
                    entry.defect ? entry.defect->message : ""});
  }
  return rows.size() == 1 ? "" : "<h2>Checkpoints</h2>\n" + table(rows);
}

std::string happenings(const contract::EventLog& log) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& event : log.events)
    if (const std::string words = in_words(event); !words.empty())
      rows.push_back({text_of_time(event.time), fmt::format("{}", event.generation), words});
  if (rows.empty()) return "";
  const size_t left_out = rows.size() > kMaxEvents ? rows.size() - kMaxEvents : 0;
  rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(left_out));
  rows.insert(rows.begin(), {"time (UTC)", "launch", "event"});
  const std::string note =
      left_out > 0 ? fmt::format("<p class=\"none\">{} earlier events are in events/</p>\n", left_out) : "";
  return "<h2>What happened</h2>\n" + note + table(rows);
}

std::string configuration(const contract::RunFolder& run) {
  const auto yaml = files::read_regular(run.run_yaml());
  const auto& id = run.identity();
  std::vector<std::pair<std::string, std::string>> about(id.environment.begin(), id.environment.end());
  about.emplace_back("code", id.code_version);
  about.emplace_back("configuration digest", id.config_digest);
  return "<h2>Where and how</h2>\n" + facts(about) +
         fmt::format("<details><summary>run.yaml</summary><pre>{}</pre></details>\n",
                     yaml ? escaped(*yaml) : escaped(yaml.error().message));
}

}  // namespace

Result<std::string> run_page(const contract::RunFolder& run, const std::vector<Section>& extra) {
  ZT_TRY_ASSIGN(const RunRecords records, read(run));
  std::string body = head(records);
  for (const Section& section : extra)
    body += fmt::format("<h2>{}</h2>\n{}", escaped(section.title), section.html);
  body += samples(run.samples());
  body += "<h2>Curves</h2>\n" + curves(records.series) + time_split(records.series);
  body += checkpoints(run) + happenings(records.events) + configuration(run);
  return page(run.identity().run_id, body);
}

Status write_run_report(const contract::RunFolder& run) {
  ZT_TRY_ASSIGN(const std::string html, run_page(run));
  return files::write_atomic(run.report(), html);
}

}  // namespace zt::report
