// SPDX-License-Identifier: Apache-2.0
// zoetrope ckpt import: weights of other programs as a run.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "cli/launch/launch.hpp"
#include "cli/options/foreign_options.hpp"
#include "cli/options/job_options.hpp"
#include "cli/output/output.hpp"
#include "cli/verbs/verbs.hpp"
#include "config/paths.hpp"
#include "config/scheduler_file.hpp"
#include "config/trained_as_file.hpp"
#include "config/weights_folder.hpp"
#include "contract/exit_codes.hpp"

namespace zt::cli {
namespace {

constexpr int64_t kMaxStep = 1'000'000'000;

struct ImportOptions {
  std::string weights;
  int64_t step = 0;
};

// What the folder holds stands over the file and under the user's own --set.
Status add_weights(const std::string& folder, config::LoadRequest& request) {
  ZT_TRY_ASSIGN(const auto found, config::find_weights(folder));
  std::vector<std::string> sets;
  for (const auto& [key, path] : found) {
    sets.push_back(fmt::format("model.{}={}", key, path));
    if (key == "mm_path") sets.emplace_back("stage=2");
  }
  request.sets.insert(request.sets.begin(), sets.begin(), sets.end());
  return {};
}

Result<int> import(const ImportOptions& options, config::LoadRequest request) {
  if (!options.weights.empty()) ZT_TRY(add_weights(options.weights, request));
  ZT_TRY_ASSIGN(auto resolved, load_train_job(request));
  if (!options.weights.empty()) {
    ZT_TRY_ASSIGN(const auto trained, config::take_trained_as(options.weights, resolved));
    note_all(trained);
    ZT_TRY(config::take_scheduler(options.weights, resolved));
  }
  note_effects(resolved.effects);
  ZT_TRY(config::check_inputs(resolved));
  ZT_TRY(check_worker(resolved.job.device));
  ZT_TRY_ASSIGN(const auto run, create_run(resolved, /*is_import=*/true));
  ZT_TRY_ASSIGN(const int code, launch_import(run, options.step));
  if (code == contract::kExitOk) print(run.path().string() + "\n");
  return code;
}

}  // namespace

void add_ckpt_import(CLI::App& ckpt, Action& chosen) {
  auto* verb = ckpt.add_subcommand("import", "Make a run of weights from other programs");
  const auto options = std::make_shared<ImportOptions>();
  JobOptions job(*verb, config::values(config::TrainJob{}));
  verb->add_option("WEIGHTS", options->weights,
                   "Folder in Moore's or diffusers' layout; without it the paths under `model` count")
      ->type_name("DIR");
  job.add("--name", "name", "Name of the run")
      .add("--runs-dir", "output_dir", "Folder of the runs")
      .formerly("-o,--output")
      .add("--device", "device", "cpu, cuda or cuda:N");
  verb->add_option("--step", options->step, "Training step that the weights count as; default 0")
      ->check(CLI::Range(int64_t{0}, kMaxStep));
  verb->footer(
      "Example: zoetrope ckpt import pretrained_weights --config stage2.yaml --name published\n"
      "The configuration is the one a training would be given: sizes that no config.json gives, noise "
      "schedule, data\n"
      "to go on with. With motion modules in WEIGHTS the run is of stage 2. Prints the run's folder.");
  verb->callback([=, &chosen] { chosen = [=] { return import(*options, job.request()); }; });
}

}  // namespace zt::cli
