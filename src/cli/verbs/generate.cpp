// SPDX-License-Identifier: Apache-2.0
// zoetrope generate: a reference picture and poses in, a video out.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/files/files.hpp"
#include "cli/launch/launch.hpp"
#include "cli/options/foreign_options.hpp"
#include "cli/options/job_options.hpp"
#include "cli/options/run_defaults.hpp"
#include "cli/output/output.hpp"
#include "cli/verbs/verbs.hpp"
#include "config/meaning/idle_settings.hpp"
#include "config/paths.hpp"
#include "config/weight_dtype.hpp"
#include "contract/exit_codes.hpp"

namespace zt::cli {
namespace {

using json = nlohmann::ordered_json;

struct GenerateOptions {
  std::string runs_folder = "runs";
  bool as_json = false;
  bool dry_run = false;
};

std::string results_for_people(const json& r) {
  std::string out =
      fmt::format("{}  {} frames, {}x{}, {} fps, {:.1f} s\n", r.value("output", ""), r.value("frames", 0),
                  r.value("width", 0), r.value("height", 0), r.value("fps", ""), r.value("seconds", 0.0));
  if (r.contains("panels") && r["panels"].is_string()) out += r["panels"].get<std::string>() + "\n";
  return out;
}

using ResolvedJob = config::Resolved<config::GenerateJob>;

/// Of all jobs before the first one: the last would fail after the minutes of the others, or replace theirs.
Status require_files(const std::vector<ResolvedJob>& jobs) {
  if (jobs.size() > 1 && !jobs.front().job.output.empty())
    return fail(ErrorCode::InvalidConfig,
                fmt::format("the {} test cases would all be written to {}: leave out -o (output), which "
                            "names them after their inputs in output_dir",
                            jobs.size(), jobs.front().job.output));
  for (const ResolvedJob& resolved : jobs) {
    const config::GenerateJob& job = resolved.job;
    if (job.run.empty() && job.weights.empty() && job.model.reference_unet_path.empty())
      return fail(ErrorCode::InvalidConfig, "there are no trained weights: give --run or --weights");
    if (!job.output.empty()) ZT_TRY(files::require_writable(job.output));
    ZT_TRY(config::check_inputs(resolved));
  }
  return {};
}

/// What the job says only together with the machine, the run and the folder of weights.
Status complete(const GenerateOptions& options, ResolvedJob& resolved) {
  config::GenerateJob& job = resolved.job;
  config::fit_weight_dtype(resolved);
  if (!options.as_json || !options.dry_run) note_effects(resolved.effects);
  if (!job.weights.empty()) ZT_TRY(take_weights_defaults(resolved));
  if (!job.run.empty()) {
    ZT_TRY_ASSIGN(job.run, resolve_run(options.runs_folder, job.run));
    ZT_TRY(take_run_defaults(resolved));
  }
  note_all(config::idle_settings(resolved));
  return {};
}

Result<int> generate(const GenerateOptions& options, const config::LoadRequest& request) {
  ZT_TRY_ASSIGN(auto jobs, config::load_many(request));
  if (!options.dry_run) ZT_TRY(require_files(jobs));
  for (ResolvedJob& resolved : jobs) {
    ZT_TRY(complete(options, resolved));
    if (options.dry_run) {
      if (!options.as_json) print(config::freeze(resolved));
      continue;
    }
    ZT_TRY_ASSIGN(const WorkerEnd end, run_job(contract::WorkerVerb::Generate, config::freeze(resolved)));
    print_results(end, options.as_json, results_for_people);
    if (end.code != contract::kExitOk) return end.code;
  }
  if (options.dry_run && options.as_json) print(jobs_json(jobs));
  return contract::kExitOk;
}

}  // namespace

void add_generate(CLI::App& app, Action& chosen) {
  auto* verb = app.add_subcommand("generate", "Animate a reference picture by poses");
  const auto options = std::make_shared<GenerateOptions>();
  JobOptions job(*verb, config::values(config::GenerateJob{}));
  job.add("--run", "run", "Run whose weights are used: id, path, or 'latest'")
      .add("--weights", "weights", "Or a folder of Moore-layout or diffusers files")
      .add("--ref", "reference_image", "Reference picture")
      .add("--pose", "pose", "Pose video or key-points")
      .add("-W,--width", "width", "Width in pixels; default with --run or an export: as trained")
      .add("-H,--height", "height", "Height in pixels; default with --run or an export: as trained")
      .add("-L,--length", "length", "Frames")
      .add("--steps", "steps", "Denoising steps; default with --run or an export: its validation's")
      .add("--cfg", "guidance_scale", "Guidance scale; default with --run or an export: its validation's")
      .add("--seed", "seed", "Seed of the noise")
      .add("--fps", "fps", "Frame rate; default: the pose video's own")
      .add("--device", "device", "cpu, cuda or cuda:N")
      .add("-o,--output", "output", "Video to write")
      .formerly("--out")
      .add_flag("--align", "align", "Fit the poses to the reference's proportions");
  add_runs_folder(*verb, options->runs_folder);
  verb->add_flag("--json", options->as_json, "Print the result, or with --dry-run the job, as JSON");
  verb->add_flag("--dry-run", options->dry_run, "Print the resolved job; generate nothing");
  verb->footer(
      "Example: zoetrope generate --run latest --ref anna.png --pose walk.mp4 -o anna.mp4\n"
      "         zoetrope generate --config animation.yaml      (Moore-AnimateAnyone's file as it stands)");
  verb->callback([=, &chosen] { chosen = [=] { return generate(*options, job.request()); }; });
}

}  // namespace zt::cli
