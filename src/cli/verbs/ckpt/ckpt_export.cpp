// SPDX-License-Identifier: Apache-2.0
// zoetrope ckpt export: a run's weights as files that other programs read.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text/text.hpp"
#include "cli/launch/launch.hpp"
#include "cli/options/job_options.hpp"
#include "cli/output/output.hpp"
#include "cli/verbs/verbs.hpp"

namespace zt::cli {
namespace {

using json = nlohmann::ordered_json;

struct ExportOptions {
  std::string runs_folder = "runs";
  bool as_json = false;
};

std::string export_for_people(const json& r) {
  std::string out =
      fmt::format("{}  {}, {} layout, from {}\n", r.value("output", ""),
                  text::bytes(r.value("bytes", uint64_t{0})), r.value("layout", ""), r.value("weights", ""));
  for (const json& part : r.value("parts", json::array()))
    out += fmt::format("  {}\n", part.get<std::string>());
  return out;
}

Result<int> export_run(const ExportOptions& options, const config::LoadRequest& request) {
  ZT_TRY_ASSIGN(auto resolved, config::load<config::ExportJob>(request));
  ZT_TRY_ASSIGN(resolved.job.run, resolve_run(options.runs_folder, resolved.job.run));
  ZT_TRY_ASSIGN(const WorkerEnd end, run_job(contract::WorkerVerb::Export, config::freeze(resolved)));
  print_results(end, options.as_json, export_for_people);
  return end.code;
}

}  // namespace

void add_ckpt_export(CLI::App& ckpt, Action& chosen) {
  auto* verb = ckpt.add_subcommand("export", "Write a run's weights for other programs");
  const auto options = std::make_shared<ExportOptions>();
  JobOptions job(*verb, config::values(config::ExportJob{}));
  job.add("RUN", "run", kRunHelp)
      .add("-o,--output", "output", "Folder to make")
      .formerly("--to")
      .add("--layout", "layout", "diffusers or moore; default diffusers")
      .add("--checkpoint", "checkpoint", "best, newest, or a name that `ckpt ls` shows; default best")
      .add_flag("--no-ema", "use_ema", "The weights themselves, not their average", /*value=*/false);
  add_runs_folder(*verb, options->runs_folder);
  verb->add_flag("--json", options->as_json, "Print JSON");
  verb->footer(
      "Example: zoetrope ckpt export latest -o exported --layout moore\n"
      "`zoetrope generate --weights DIR`, the paths under `model` of a training file and `zoetrope ckpt "
      "import` read\n"
      "both layouts and published weights.");
  verb->callback([=, &chosen] { chosen = [=] { return export_run(*options, job.request()); }; });
}

}  // namespace zt::cli
