// SPDX-License-Identifier: Apache-2.0
// zoetrope runs compare: several runs side by side, how they stand and in which settings they differ.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/options/job_options.hpp"
#include "cli/output/json_text.hpp"
#include "cli/output/output.hpp"
#include "cli/output/run_text.hpp"
#include "cli/verbs/verbs.hpp"
#include "config/load.hpp"

namespace zt::cli {
namespace {

using json = nlohmann::ordered_json;
constexpr int kCompareVersion = 1;
constexpr int kMaxRuns = 100;

struct CompareOptions {
  std::string runs_folder = "runs";
  std::vector<std::string> runs;
  bool as_json = false;
};

struct Compared {
  contract::RunFolder run;
  contract::RunState state;
  std::vector<config::KeyValue> settings;
};

struct Damaged {
  contract::RunFolder run;
  Error defect;
};

// Those that can't be read come last, so that the others' values stand below their names.
struct Runs {
  std::vector<Compared> whole;
  std::vector<Damaged> damaged;
};

// One setting of all whole runs, in their order.
struct Difference {
  std::string key;
  std::vector<std::string> values;
};

Result<Compared> read(const contract::RunFolder& run) {
  ZT_TRY_ASSIGN(const auto state, contract::run_state(run));
  ZT_TRY_ASSIGN(const auto file, run.config_file(state.generation));
  ZT_TRY_ASSIGN(const auto job, config::thaw<config::TrainJob>(file));
  return Compared{run, state, config::values(job)};
}

std::vector<Difference> differences(const std::vector<Compared>& runs) {
  std::vector<Difference> out;
  for (size_t i = 0; !runs.empty() && i < runs.front().settings.size(); ++i) {
    Difference setting{runs.front().settings[i].key, {}};
    for (const Compared& run : runs) setting.values.push_back(run.settings[i].value);
    const auto& values = setting.values;
    if (std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) != values.end())
      out.push_back(std::move(setting));
  }
  return out;
}

std::string for_people(const Runs& runs, const std::vector<Difference>& settings) {
  std::vector<Table::Column> columns = {{"RUN"}};
  std::vector<std::string> states = {"state"};
  for (const Compared& run : runs.whole) {
    columns.push_back({run.run.identity().run_id});
    states.emplace_back(contract::name(run.state.condition));
  }
  for (const Damaged& run : runs.damaged) {
    columns.push_back({run.run.identity().run_id});
    states.emplace_back(kDamaged);
  }
  Table table(std::move(columns));
  table.add(std::move(states));
  const auto row = [&](const char* title, const std::function<std::string(const Compared&)>& cell) {
    std::vector<std::string> cells = {title};
    for (const Compared& run : runs.whole) cells.push_back(cell(run));
    table.add(std::move(cells));
  };
  row("step", [](const Compared& r) { return step_text(r.state); });
  row("train loss", [](const Compared& r) { return number_text(r.state.train_loss); });
  row("validation loss", [](const Compared& r) { return number_text(r.state.validation_loss); });
  row("best loss", [](const Compared& r) { return number_text(r.state.best_loss); });
  row("samples/s", [](const Compared& r) { return number_text(r.state.samples_per_s); });
  for (const Difference& setting : settings) {
    std::vector<std::string> cells = {setting.key};
    cells.insert(cells.end(), setting.values.begin(), setting.values.end());
    table.add(std::move(cells));
  }
  return table.text(table_width());
}

std::string for_programs(const Runs& runs, const std::vector<Difference>& settings) {
  json out{{"version", kCompareVersion}, {"runs", json::array()}, {"differences", json::array()}};
  for (const Compared& run : runs.whole) out["runs"].push_back(run_json(run.run, run.state));
  for (const Damaged& run : runs.damaged) out["runs"].push_back(damaged_json(run.run.path(), run.defect));
  for (const Difference& setting : settings)
    out["differences"].push_back({{"key", setting.key}, {"values", setting.values}});
  return json_text(out);
}

Result<int> compare(const CompareOptions& options) {
  Runs runs;
  for (const std::string& named : options.runs) {
    ZT_TRY_ASSIGN(const auto run, contract::RunFolder::find(options.runs_folder, named));
    if (auto whole = read(run))
      runs.whole.push_back(*std::move(whole));
    else
      runs.damaged.push_back({run, std::move(whole).error()});
  }
  const std::vector<Difference> settings = differences(runs.whole);
  print(options.as_json ? for_programs(runs, settings) : for_people(runs, settings));
  if (settings.empty() && runs.whole.size() > 1) note("the settings are the same");
  if (options.as_json) return 0;
  for (const Damaged& run : runs.damaged) note(damaged_text(run.run.path(), run.defect));
  return 0;
}

}  // namespace

void add_runs_compare(CLI::App& runs, Action& chosen) {
  const auto options = std::make_shared<CompareOptions>();
  auto* verb = runs.add_subcommand("compare", "Runs side by side: how they stand, which settings differ");
  verb->add_option("RUN", options->runs, "Two or more: run ids, unique beginnings of them, paths, 'latest'")
      ->required()
      ->expected(2, kMaxRuns);
  add_runs_folder(*verb, options->runs_folder);
  verb->add_flag("--json", options->as_json, "Print JSON; the values of settings are YAML");
  verb->footer("Example: zoetrope runs compare walk-1a2b walk-3c4d");
  verb->callback([=, &chosen] { chosen = [=] { return compare(*options); }; });
}

}  // namespace zt::cli
