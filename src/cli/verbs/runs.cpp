// SPDX-License-Identifier: Apache-2.0
// zoetrope runs ls | show: what runs there are and how they stand.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text/text.hpp"
#include "cli/options/job_options.hpp"
#include "cli/output/json_text.hpp"
#include "cli/output/output.hpp"
#include "cli/output/run_text.hpp"
#include "cli/verbs/verbs.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/run_state.hpp"

namespace zt::cli {
namespace {

using json = nlohmann::ordered_json;
constexpr int kRunsVersion = 1;

struct RunsOptions {
  std::string runs_folder = "runs";
  std::string run;
  bool as_json = false;
};

// The runs as a table and as JSON, row by row. One that can't be read has a row too: the others are to be
// seen.
class Listing {
 public:
  void add(const contract::RunFolder& run) {
    const auto state = contract::run_state(run);
    if (!state) return add_damaged(run.path(), state.error());
    const auto& id = run.identity();
    table_.add({id.run_id, id.kind, std::string(contract::name(state->condition)), step_text(*state),
                number_text(state->train_loss), number_text(state->best_loss), id.created_at.substr(0, 16)});
    items_.push_back(run_json(run, *state));
  }
  void add_damaged(const std::filesystem::path& folder, const Error& defect) {
    table_.add({folder.filename().string(), "", kDamaged});
    items_.push_back(damaged_json(folder, defect));
    notes_.push_back(damaged_text(folder, defect));
  }
  const Table& table() const { return table_; }
  const json& items() const { return items_; }
  /// What is wrong with the damaged ones.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  Table table_{{{"RUN"},
                {"KIND"},
                {"STATE"},
                {"STEP", Table::Align::Right},
                {"LOSS", Table::Align::Right},
                {"BEST", Table::Align::Right},
                {"CREATED"}}};
  json items_ = json::array();
  std::vector<std::string> notes_;
};

Result<int> list(const RunsOptions& options) {
  const contract::RunList found = contract::list_runs(options.runs_folder);
  Listing listing;
  for (const auto& run : found.runs) listing.add(run);
  for (const auto& run : found.damaged) listing.add_damaged(run.path, run.defect);
  if (options.as_json) {
    print(json_text({{"version", kRunsVersion}, {"runs", listing.items()}}));
  } else if (listing.items().empty()) {
    note(fmt::format("no runs in {}", options.runs_folder));
  } else {
    print(listing.table().text(table_width()));
    for (const std::string& line : listing.notes()) note(line);
  }
  return 0;
}

json checkpoints_json(const contract::RunFolder& run) {
  json out = json::array();
  for (const auto& entry : contract::list_checkpoints(run.checkpoints())) {
    out.push_back(
        {{"name", entry.folder.filename().string()}, {"step", entry.step}, {"is_valid", !entry.defect}});
  }
  return out;
}

std::string describe(const contract::RunFolder& run, const contract::RunState& state) {
  const auto& id = run.identity();
  std::string out;
  const auto line = [&](std::string_view key, const std::string& value) {
    if (!value.empty()) out += fmt::format("{:<12}{}\n", key, value);
  };
  line("run", id.run_id);
  line("kind", id.kind);
  line("state", fmt::format("{}, step {}", contract::name(state.condition), step_text(state)));
  line("message", state.message);
  line("parent", id.parent);
  line("created", id.created_at);
  line("code", id.code_version);
  line("attempts", fmt::format("{}", state.generation));
  line("loss", fmt::format("train {}  validation {}  best {}", number_text(state.train_loss),
                           number_text(state.validation_loss), number_text(state.best_loss)));
  line("speed", state.samples_per_s ? number_text(state.samples_per_s) + " samples/s" : "");
  for (const auto& entry : contract::list_checkpoints(run.checkpoints())) {
    line("checkpoint",
         fmt::format("{}  {}{}", entry.folder.filename().string(), text::bytes(entry.size_bytes()),
                     entry.defect ? "  unusable: " + entry.defect->message : ""));
  }
  line("folder", run.path().string());
  for (const auto& [key, value] : id.environment) line(key, value);
  return out;
}

Result<int> show(const RunsOptions& options) {
  ZT_TRY_ASSIGN(const auto run, contract::RunFolder::find(options.runs_folder, options.run));
  ZT_TRY_ASSIGN(const auto state, contract::run_state(run));
  if (options.as_json) {
    json out{{"version", kRunsVersion}, {"run", run_json(run, state)}};
    out["run"]["code_version"] = run.identity().code_version;
    out["run"]["config_digest"] = run.identity().config_digest;
    out["run"]["environment"] = run.identity().environment;
    out["run"]["checkpoints"] = checkpoints_json(run);
    print(json_text(out));
  } else {
    print(describe(run, state));
  }
  return 0;
}

}  // namespace

void add_runs(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<RunsOptions>();
  auto* runs = app.add_subcommand("runs", "List, show and compare runs");
  runs->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, Result<int> (*action)(const RunsOptions&)) {
    auto* verb = runs->add_subcommand(name, help);
    add_runs_folder(*verb, options->runs_folder);
    verb->add_flag("--json", options->as_json, "Print JSON");
    verb->callback([=, &chosen] { chosen = [=] { return action(*options); }; });
    return verb;
  };
  add("ls", "List the runs, oldest first", list)->footer("Example: zoetrope runs ls --json");
  auto* one = add("show", "One run: state, losses, checkpoints, environment", show);
  one->add_option("RUN", options->run, kRunHelp)->required();
  one->footer("Example: zoetrope runs show latest");
  add_runs_compare(*runs, chosen);
}

}  // namespace zt::cli
