// SPDX-License-Identifier: Apache-2.0
// zoetrope train: starts a run, or goes on with one.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <bit>
#include <charconv>
#include <filesystem>
#include <memory>

#include "cli/job_options.hpp"
#include "cli/launch.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "config/paths.hpp"
#include "contract/run_state.hpp"

namespace zt::cli {
namespace {

struct Options {
  std::string resume;
  std::string runs_folder = "runs";
  bool dry_run = false;
  int64_t ranks = 1;
  int64_t max_restarts = RestartRules{}.max_restarts;
};

std::string is_rank_count(const std::string& text) {
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool is_good =
      error == std::errc() && end == text.data() + text.size() && count >= 1 && count <= 4096;
  return is_good ? "" : fmt::format("wanted a whole number from 1 to 4096, found '{}'", text);
}

/// How `ranks` divide the lanes. Errors: InvalidConfig if some would have none.
Status check_lanes(int64_t lanes, int64_t ranks) {
  if (lanes < ranks)
    return fail(ErrorCode::InvalidConfig,
                fmt::format("lanes: the run's batch has {} parts, too few for {} ranks; use at most {} ranks",
                            lanes, ranks, lanes));
  const bool is_even = lanes % ranks == 0 && std::has_single_bit(static_cast<uint64_t>(lanes / ranks));
  if (!is_even)
    note(fmt::format(
        "zoetrope: note: {} lanes do not divide into {} ranks by a power of two: this trains as well, "
        "but rounds sums in another order than other numbers of ranks",
        lanes, ranks));
  return {};
}

Result<int> start(config::LoadRequest request, const Options& options) {
  ZT_TRY_ASSIGN(auto resolved, load_train_job(request));
  if (options.ranks > 1 && resolved.origins.find("lanes")->second == "default") {
    request.sets.push_back(fmt::format("lanes={}", options.ranks));
    ZT_TRY_ASSIGN(resolved, load_train_job(request));
  }
  ZT_TRY(check_lanes(resolved.job.lanes, options.ranks));
  if (options.dry_run) {
    print(config::freeze(resolved));
    return 0;
  }
  ZT_TRY(check_start(resolved));
  ZT_TRY_ASSIGN(const auto run, create_run(resolved));
  return launch_run(run, {}, {options.ranks, options.max_restarts});
}

// A run's own configuration.
struct Frozen {
  std::filesystem::path file;
  config::RunPlaces places;
  config::TrainJob job;
};

Result<Frozen> frozen_configuration(const contract::RunFolder& run, int64_t generation) {
  Frozen own{run.config_file(generation), {run.identity().folder, run.path()}, {}};
  ZT_TRY_ASSIGN(own.job, config::thaw_run(own.file, own.places));
  return own;
}

// What the run goes on with: its own configuration, changed where the command line says so and where that is
// safe.
Result<std::optional<std::string>> changed_configuration(const Frozen& own, config::LoadRequest request) {
  if (request.file.empty() && request.sets.empty()) return std::optional<std::string>{};
  if (request.file.empty()) request.file = own.file;
  ZT_TRY_ASSIGN(auto wanted, load_train_job(request));
  config::follow_move(wanted.job, own.places);
  ZT_TRY(config::check_resume(own.job, wanted.job));
  if (config::digest(own.job) == config::digest(wanted.job)) return std::optional<std::string>{};
  return std::optional<std::string>{config::freeze(wanted)};
}

Result<int> resume(const Options& options, const config::LoadRequest& request) {
  ZT_TRY_ASSIGN(const auto run, contract::RunFolder::find(options.runs_folder, options.resume));
  ZT_TRY_ASSIGN(const auto state, contract::run_state(run));
  // The lock, not the state, which goes by the worker's number: that may be a zombie's, or another process's
  // by now.
  if (const auto lock = run.lock(); !lock) return fail(lock.error());
  ZT_TRY_ASSIGN(const Frozen own, frozen_configuration(run, state.generation));
  ZT_TRY_ASSIGN(const auto changed, changed_configuration(own, request));
  ZT_TRY(check_lanes(own.job.lanes, options.ranks));
  if (options.dry_run) {
    note(changed ? "the run would go on with this configuration:"
                 : "the run would go on with its own configuration");
    if (changed) print(*changed);
    return 0;
  }
  return launch_run(run, changed, {options.ranks, options.max_restarts});
}

}  // namespace

void add_train(CLI::App& app, Action& chosen) {
  auto* verb = app.add_subcommand("train", "Train: start a run, or go on with one");
  const auto options = std::make_shared<Options>();
  JobOptions job(*verb, config::values(config::TrainJob{}));
  job.add("--name", "name", "Name of the run")
      .add("--device", "device", "cpu, cuda or cuda:N")
      .add("--steps", "max_train_steps", "Optimizer steps")
      .add("--seed", "seed", "Seed of everything random");
  const auto* resumes = verb->add_option("--resume", options->resume,
                                         "Go on with this run: id, unique beginning, path, or 'latest'");
  add_runs_folder(*verb, options->runs_folder);
  verb->add_option("--ranks", options->ranks,
                   "Processes that train the run together on this host; --resume may use another number")
      ->check(is_rank_count)
      ->capture_default_str();
  verb->add_option("--max-restarts", options->max_restarts,
                   "How often in an hour ranks that die are started again; 0 = never")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  verb->add_flag("--dry-run", options->dry_run,
                 "Print the resolved configuration with the origin of each value; start nothing");
  verb->footer(
      "Example: zoetrope train --config stage1.yaml --set optimizer.use_8bit_adam=true\n"
      "Ctrl-C once finishes the step, saves and exits with 75; `zoetrope train --resume latest` goes on.");
  verb->callback([=, &chosen] {
    chosen = [=]() -> Result<int> {
      // Asked of the option, not of its text: `--resume ""`, a script's empty variable, is no wish for a new
      // run.
      return resumes->count() > 0 ? resume(*options, job.request()) : start(job.request(), *options);
    };
  });
}

}  // namespace zt::cli
