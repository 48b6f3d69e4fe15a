// SPDX-License-Identifier: Apache-2.0
// zoetrope runs ls | show: what runs there are and how they stand.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "contract/manifest.hpp"
#include "contract/run_state.hpp"

namespace zt::cli {
namespace {

using json = nlohmann::ordered_json;
constexpr int kJsonVersion = 1;

struct Options {
  std::string runs_folder = "runs";
  std::string run;
  bool as_json = false;
};

json optional_number(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }
std::string optional_text(const std::optional<double>& value) {
  if (!value) return "-";
  return fmt::format("{:.4g}", std::isnan(*value) ? std::abs(*value) : *value);  // no "-nan"
}

std::string step_text(const contract::RunState& state) {
  return state.total_steps > 0 ? fmt::format("{}/{}", state.step, state.total_steps)
                               : fmt::format("{}", state.step);
}

json to_json(const contract::RunFolder& run, const contract::RunState& state) {
  const auto& id = run.identity();
  return {{"run_id", id.run_id},
          {"name", id.name},
          {"kind", id.kind},
          {"parent", id.parent},
          {"created_at", id.created_at},
          {"path", run.path().string()},
          {"condition", contract::name(state.condition)},
          {"generation", state.generation},
          {"step", state.step},
          {"total_steps", state.total_steps},
          {"train_loss", optional_number(state.train_loss)},
          {"validation_loss", optional_number(state.validation_loss)},
          {"best_loss", optional_number(state.best_loss)},
          {"message", state.message}};
}

Result<int> list(const Options& options) {
  Table table({{"RUN"},
               {"KIND"},
               {"STATE"},
               {"STEP", Table::Align::Right},
               {"LOSS", Table::Align::Right},
               {"BEST", Table::Align::Right},
               {"CREATED"}});
  json items = json::array();
  for (const auto& run : contract::list_runs(options.runs_folder)) {
    ZT_TRY_ASSIGN(const auto state, contract::run_state(run));
    const auto& id = run.identity();
    table.add({id.run_id, id.kind, std::string(contract::name(state.condition)), step_text(state),
               optional_text(state.train_loss), optional_text(state.best_loss), id.created_at.substr(0, 16)});
    items.push_back(to_json(run, state));
  }
  if (options.as_json) {
    print(json{{"version", kJsonVersion}, {"runs", items}}.dump(1) + "\n");
  } else if (items.empty()) {
    note(fmt::format("no runs in {}", options.runs_folder));
  } else {
    print(table.text(table_width()));
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
  line("loss", fmt::format("train {}  validation {}  best {}", optional_text(state.train_loss),
                           optional_text(state.validation_loss), optional_text(state.best_loss)));
  for (const auto& entry : contract::list_checkpoints(run.checkpoints())) {
    line("checkpoint",
         fmt::format("{}  {}{}", entry.folder.filename().string(), text::bytes(entry.size_bytes),
                     entry.defect ? "  unusable: " + entry.defect->message : ""));
  }
  line("folder", run.path().string());
  for (const auto& [key, value] : id.environment) line(key, value);
  return out;
}

Result<int> show(const Options& options) {
  ZT_TRY_ASSIGN(const auto run, contract::RunFolder::find(options.runs_folder, options.run));
  ZT_TRY_ASSIGN(const auto state, contract::run_state(run));
  if (options.as_json) {
    json out{{"version", kJsonVersion}, {"run", to_json(run, state)}};
    out["run"]["code_version"] = run.identity().code_version;
    out["run"]["config_digest"] = run.identity().config_digest;
    out["run"]["environment"] = run.identity().environment;
    out["run"]["checkpoints"] = checkpoints_json(run);
    print(out.dump(1) + "\n");
  } else {
    print(describe(run, state));
  }
  return 0;
}

}  // namespace

void add_runs(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<Options>();
  auto* runs = app.add_subcommand("runs", "List and show runs");
  runs->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, Result<int> (*action)(const Options&)) {
    auto* verb = runs->add_subcommand(name, help);
    verb->add_option("--runs-dir", options->runs_folder, "Folder of the runs")->capture_default_str();
    verb->add_flag("--json", options->as_json, "Print JSON");
    verb->callback([=, &chosen] { chosen = [=] { return action(*options); }; });
    return verb;
  };
  add("ls", "List the runs, oldest first", list);
  auto* one = add("show", "One run: state, losses, checkpoints, environment", show);
  one->add_option("RUN", options->run, "Run id, a unique beginning of it, a path, or 'latest'")->required();
}

}  // namespace zt::cli
