// SPDX-License-Identifier: Apache-2.0
// zoetrope data: ingest, inspect, pose, synth, cache.
#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "cli/launch/launch.hpp"
#include "cli/options/foreign_options.hpp"
#include "cli/options/job_options.hpp"
#include "cli/output/output.hpp"
#include "cli/verbs/data_actions.hpp"
#include "cli/verbs/verbs.hpp"
#include "data/clip_index.hpp"
#include "data/ingest/inspect.hpp"
#include "image/file.hpp"

namespace zt::cli {
namespace {

// A verb below `data` whose whole input is a job.
template <class Job>
JobOptions add_job_verb(CLI::App& data, Action& chosen, const char* name, const char* help,
                        const char* example, std::function<Result<int>(const Job&)> action) {
  auto* verb = data.add_subcommand(name, help);
  verb->footer(std::string("Example: zoetrope data ") + example);
  JobOptions options(*verb, config::values(Job{}));
  verb->callback([=, &chosen] {
    chosen = [=]() -> Result<int> {
      ZT_TRY_ASSIGN(const auto resolved, config::load<Job>(options.request()));
      return action(resolved.job);
    };
  });
  return options;
}

Result<int> fill_cache(const config::LoadRequest& request) {
  ZT_TRY_ASSIGN(const auto training, load_train_job(request));
  note_effects(training.effects);
  ZT_TRY(check_start(training));
  const config::TrainJob& job = training.job;
  config::Resolved<config::CacheJob> resolved;
  resolved.job.model = job.model;
  resolved.job.data = job.data;
  resolved.job.cache = job.cache;
  resolved.job.stage = job.stage;
  resolved.job.device = job.device;
  resolved.job.tf32 = job.precision.tf32;
  resolved.job.repeatable = job.precision.repeatable;
  resolved.job.threads = job.threads;
  resolved.origins = training.origins;
  ZT_TRY_ASSIGN(const WorkerEnd end, run_job(contract::WorkerVerb::Cache, config::freeze(resolved)));
  print_results(end, /*as_json=*/true, {});
  return end.code;
}

// Takes the training's own file, so that the cache is filled for exactly what the training will ask of it.
void add_cache(CLI::App& data, Action& chosen) {
  auto* verb = data.add_subcommand("cache", "Encode a training's pictures ahead of it");
  JobOptions options(*verb, config::values(config::TrainJob{}));
  options.add("--index", "data.index", "Clip index").add("--stage", "stage", "1: single pictures, 2: clips");
  verb->footer(
      "Example: zoetrope data cache --config stage1.yaml      (the file that `zoetrope train` will be "
      "given)\n"
      "Of the training's keys those below model, data and cache count, and stage, device, threads,\n"
      "precision.tf32 and precision.repeatable.");
  verb->callback([=, &chosen] { chosen = [=] { return fill_cache(options.request()); }; });
}

Result<int> inspect(const std::string& index_file, const std::string& sheet, bool as_json) {
  ZT_TRY_ASSIGN(const auto index, data::read_index(index_file));
  const data::IndexSummary summary = data::summarise(index);
  print(as_json ? summary.json + "\n" : summary.text);
  if (sheet.empty()) return 0;
  ZT_TRY_ASSIGN(const auto picture, data::contact_sheet(index));
  files::remove_leftovers_of(sheet);
  ZT_TRY(image::write_png(sheet, picture));
  note("contact sheet: " + sheet);
  return 0;
}

void add_inspect(CLI::App& data, Action& chosen) {
  struct DataOptions {
    std::string index, sheet;
    bool as_json = false;
  };
  const auto options = std::make_shared<DataOptions>();
  auto* verb = data.add_subcommand("inspect", "Show what an index holds");
  verb->add_option("INDEX", options->index, "Index file written by ingest")->required();
  verb->add_option("--sheet", options->sheet, "Also draw a contact sheet to this PNG")->type_name("FILE");
  verb->add_flag("--json", options->as_json, "Print the sums as JSON");
  verb->footer("Example: zoetrope data inspect index/index.jsonl --sheet sheet.png");
  verb->callback(
      [=, &chosen] { chosen = [=] { return inspect(options->index, options->sheet, options->as_json); }; });
}

}  // namespace

void add_data(CLI::App& app, Action& chosen) {
  auto* data = app.add_subcommand("data", kDataHelp);
  data->require_subcommand(1);
  const auto ingest_as_json = std::make_shared<bool>(false);
  add_job_verb<config::IngestJob>(*data, chosen, "ingest", "Check videos and write their index",
                                  "ingest footage -o index",
                                  [=](const config::IngestJob& job) { return ingest(job, *ingest_as_json); })
      .add("INPUT", "input", "Folder, *_meta.json, or a CSV / JSONL manifest")
      .add("-o,--output", "output", "Folder for the index and the key-points")
      .add_flag("--strict", "strict", "The first rejected clip is an error");
  data->get_subcommand("ingest")->add_flag("--json", *ingest_as_json, "Print what was found as JSON");
  add_inspect(*data, chosen);
  add_job_verb<config::PoseJob>(*data, chosen, "pose", "Find key-points in footage",
                                "pose films anna.mp4 -o poses", pose)
      .add_paths("INPUT", "inputs", "Videos or folders")
      .add("-o,--output", "output_dir", "Folder for the key-points")
      .add("--max-people", "max_people", "People kept per video")
      .add_flag("--strict", "strict", "The first video that can't be used is an error");
  add_job_verb<config::SynthJob>(*data, chosen, "synth", "Render a data set of puppets",
                                 "synth -o puppets --train 40", synth)
      .add("-o,--output", "output", "Folder of the data set")
      .add("--seed", "seed", "Seed")
      .add("--train", "num_train", "Training clips")
      .add("--size", "width",
           "Width and height in pixels; --set width=W --set height=H for other\nthan squares")
      .also("height");
  add_cache(*data, chosen);
}

}  // namespace zt::cli
