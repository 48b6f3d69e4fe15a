// SPDX-License-Identifier: Apache-2.0
// zoetrope eval: measures a run on clips it has not seen, or videos against their truth.
#include <CLI/CLI.hpp>
#include <memory>

#include "base/signals.hpp"
#include "cli/launch/launch.hpp"
#include "cli/options/job_options.hpp"
#include "cli/options/run_defaults.hpp"
#include "cli/output/output.hpp"
#include "cli/verbs/verbs.hpp"
#include "config/meaning/idle_settings.hpp"
#include "contract/exit_codes.hpp"
#include "data/eval/files.hpp"
#include "data/eval/report.hpp"

namespace zt::cli {
namespace {

struct EvalOptions {
  std::string runs_folder = "runs";
  bool as_json = false;
};

void show(const EvalOptions& options, const data::EvalReport& report) {
  print(options.as_json ? data::to_json(report) + "\n" : data::eval_table(report));
}

Result<int> evaluate_run(const EvalOptions& options, config::Resolved<config::EvalJob> resolved) {
  config::EvalJob& job = resolved.job;
  ZT_TRY_ASSIGN(job.run, resolve_run(options.runs_folder, job.run));
  if (!job.baseline_run.empty()) {
    ZT_TRY_ASSIGN(job.baseline_run, resolve_run(options.runs_folder, job.baseline_run));
  }
  ZT_TRY(take_run_defaults(resolved));
  ZT_TRY_ASSIGN(const WorkerEnd end, run_job(contract::WorkerVerb::Eval, config::freeze(resolved)));
  if (end.code != contract::kExitOk) return end.code;
  ZT_TRY_ASSIGN(const auto report, data::parse_eval_report(end.results));
  show(options, report);
  return contract::kExitOk;
}

Result<int> evaluate(const EvalOptions& options, const config::LoadRequest& request) {
  ZT_TRY_ASSIGN(auto resolved, config::load<config::EvalJob>(request));
  if (!resolved.job.run.empty()) return evaluate_run(options, std::move(resolved));
  note_all(config::idle_settings(resolved));
  const signals::EndAtOnce interruptible;  // nothing is written on the way
  ZT_TRY_ASSIGN(const auto report, data::eval_files(resolved.job));
  show(options, report);
  return contract::kExitOk;
}

}  // namespace

void add_eval(CLI::App& app, Action& chosen) {
  auto* verb = app.add_subcommand("eval", kEvalHelp);
  const auto options = std::make_shared<EvalOptions>();
  JobOptions job(*verb, config::values(config::EvalJob{}));
  job.add("--run", "run", "Run to generate from: id, path, or 'latest'")
      .add("--baseline", "baseline_run", "A second run, compared clip by clip")
      .add("--index", "index", "Clips to generate")
      .add_list("--split", "splits", "Splits of the index")
      .add("--clips", "num_clips", "Number of clips")
      .add_paths("--results", "results", "Or: videos to judge")
      .add_paths("--truths", "truths", "Their truths, in the same order")
      .add_paths("--masks", "masks", "Their foreground masks")
      .add_paths("--backgrounds", "backgrounds", "Pictures without the figure: with masks, for mask IoU")
      .add("-o,--output", "output", "Folder for clips generated | truth");
  add_runs_folder(*verb, options->runs_folder);
  verb->add_flag("--json", options->as_json, "Print JSON");
  verb->footer("Example: zoetrope eval --run latest --index data/index.jsonl --split val_c");
  verb->callback([=, &chosen] { chosen = [=] { return evaluate(*options, job.request()); }; });
}

}  // namespace zt::cli
