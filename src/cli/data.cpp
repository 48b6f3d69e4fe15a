// SPDX-License-Identifier: Apache-2.0
// zoetrope data: ingest, pose, synth, cache.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/data_actions.hpp"
#include "cli/job_options.hpp"
#include "cli/launch.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"

namespace zt::cli {
namespace {

// A verb below `data` whose whole input is a job.
template <class Job>
JobOptions add_job_verb(CLI::App& data, Action& chosen, const char* name, const char* help,
                        Result<int> (*action)(const Job&)) {
  auto* verb = data.add_subcommand(name, help);
  JobOptions options(*verb);
  verb->callback([=, &chosen] {
    chosen = [=]() -> Result<int> {
      ZT_TRY_ASSIGN(const auto resolved, load_job<Job>(options.request()));
      return action(resolved.job);
    };
  });
  return options;
}

void add_cache(CLI::App& data, Action& chosen) {
  auto* verb = data.add_subcommand("cache", "Encode pictures ahead of training");
  JobOptions options(*verb);
  options.add("--index", "data.index", "Clip index").add("--stage", "stage", "1: single pictures, 2: clips");
  verb->callback([=, &chosen] {
    chosen = [=]() -> Result<int> {
      ZT_TRY_ASSIGN(const auto resolved, load_job<config::CacheJob>(options.request()));
      ZT_TRY_ASSIGN(const WorkerEnd end, run_job(contract::WorkerVerb::Cache, config::freeze(resolved)));
      print(end.results);
      return end.code;
    };
  });
}

}  // namespace

void add_data(CLI::App& app, Action& chosen) {
  auto* data = app.add_subcommand("data", "Make, check and prepare training data");
  data->require_subcommand(1);
  add_job_verb<config::IngestJob>(*data, chosen, "ingest", "Check videos and write their index", ingest)
      .add("INPUT", "input", "Folder, *_meta.json, or a CSV / JSONL manifest")
      .add("-o,--output", "output", "Folder for the index and the key-points")
      .add_flag("--strict", "strict", "The first rejected clip is an error");
  add_job_verb<config::PoseJob>(*data, chosen, "pose", "Find key-points in footage", pose)
      .add("INPUT", "inputs", "Videos or folders")
      .add("-o,--output", "output_dir", "Folder for the key-points")
      .add("--max-people", "max_people", "People kept per video");
  add_job_verb<config::SynthJob>(*data, chosen, "synth", "Render a data set of puppets", synth)
      .add("-o,--output", "output", "Folder of the data set")
      .add("--seed", "seed", "Seed")
      .add("--train", "num_train", "Training clips")
      .add("--size", "width", "Width in pixels; see also --set height=N");
  add_cache(*data, chosen);
}

}  // namespace zt::cli
