// SPDX-License-Identifier: Apache-2.0
// zoetrope train: starts a run, or goes on with one.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <bit>
#include <filesystem>
#include <memory>
#include <variant>

#include "base/files/files.hpp"
#include "base/limits.hpp"
#include "base/text/text.hpp"
#include "cli/launch/hosts.hpp"
#include "cli/launch/launch.hpp"
#include "cli/options/foreign_options.hpp"
#include "cli/options/job_options.hpp"
#include "cli/output/output.hpp"
#include "cli/verbs/verbs.hpp"
#include "config/meaning/idle_settings.hpp"
#include "config/paths.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/events.hpp"
#include "contract/rank_environment.hpp"
#include "contract/run_state.hpp"

namespace zt::cli {
namespace {

constexpr uint64_t kMaxHostfileBytes = uint64_t{1} << 20;
constexpr std::string_view kSlurm = "slurm";

struct TrainOptions {
  std::string resume;
  std::string runs_folder = "runs";
  bool dry_run = false;
  bool as_json = false;
  bool create_only = false;
  int64_t ranks = 1;
  std::string hosts, hostfile;
  HostOptions elsewhere;
  int64_t max_restarts = RestartRules{}.max_restarts;
  ForeignOptions foreign;
};

std::string rank_count_error(const std::string& text) {
  const int64_t count = text::to_number<int64_t>(text).value_or(0);
  const bool is_good = count >= 1 && count <= kMaxRanks;
  return is_good ? "" : fmt::format("wanted a whole number from 1 to {}, found '{}'", kMaxRanks, text);
}

/// Where the ranks run, as --ranks, --hosts or --hostfile say. Errors: those of their text, and of reading
/// the file.
Result<RankPlaces> places_of(const TrainOptions& options) {
  RankPlaces places{options.ranks, options.elsewhere, options.max_restarts};
  if (options.hosts.empty() && options.hostfile.empty()) return places;
  auto& hosts = places.elsewhere.hosts;
  if (!options.hostfile.empty()) {
    ZT_TRY_ASSIGN(const std::string text, files::read(options.hostfile, kMaxHostfileBytes));
    auto parsed = parse_hostfile(text);
    if (!parsed) return fail(std::move(parsed.error()).with("while reading " + options.hostfile));
    hosts = std::move(*parsed);
  } else {
    ZT_TRY_ASSIGN(hosts, parse_hosts(options.hosts));
    places.elsewhere.has_srun = hosts.size() == 1 && hosts.front().name == kSlurm;
  }
  if (places.elsewhere.has_srun) {
    const bool has_slots = options.hosts.find(':') != std::string::npos;
    ZT_TRY_ASSIGN(hosts,
                  hosts_of_slurm(contract::environment_of_process(), has_slots ? hosts.front().slots : 0));
  }
  places.ranks = num_ranks(hosts);
  return places;
}

/// What a reader of the configuration may not expect of it.
void note_surprises(const config::TrainJob& job, int64_t ranks) {
  note_all(config::idle_settings(job));
  const int64_t lanes = job.lanes;
  const bool has_one_each = lanes == ranks && job.parallel.shard_ranks == 0;
  const bool is_subtree =  // params::left_lanes()
      has_one_each || (lanes % ranks == 0 && std::has_single_bit(static_cast<uint64_t>(ranks)));
  if (!is_subtree)
    note(fmt::format(
        "zoetrope: note: {} lanes on {} ranks, which are no power of two that divides them: this trains as "
        "well, but rounds sums in another order than other numbers of ranks",
        lanes, ranks));
}

Result<int> start(const config::LoadRequest& request, const TrainOptions& options, bool says_ranks) {
  ZT_TRY_ASSIGN(RankPlaces places, places_of(options));
  std::optional<int64_t> wanted;
  if (says_ranks || !places.elsewhere.hosts.empty()) wanted = places.ranks;
  ZT_TRY_ASSIGN(const AskedJob asked,
                load_for_ranks(request, options.foreign.files(), wanted, load_train_job));
  places.ranks = asked.ranks;
  ZT_TRY(config::check_ranks(asked.resolved.job, places.ranks));
  note_surprises(asked.resolved.job, places.ranks);
  if (!options.as_json) note_effects(asked.resolved.effects);
  if (options.dry_run) {
    print(options.as_json ? asked_json(asked) : config::freeze(asked.resolved));
    return 0;
  }
  ZT_TRY(check_start(asked.resolved));
  if (places.elsewhere.hosts.empty() && !options.create_only) ZT_TRY(check_worker(asked.resolved.job.device));
  if (!options.create_only) ZT_TRY(check_places(places));
  ZT_TRY_ASSIGN(const auto run, create_run(asked.resolved));
  if (options.create_only) {
    print(run.path().string() + "\n");
    return 0;
  }
  return launch_run(run, {}, places);
}

// A run's own configuration.
struct Frozen {
  std::filesystem::path file;
  RunPlaces places;
  config::TrainJob job;
};

// Errors: also those of check_run_yaml(); Corrupt if an earlier resume can't have written what it goes on
// with.
Result<Frozen> frozen_configuration(const contract::RunFolder& run, int64_t generation) {
  ZT_TRY_ASSIGN(auto file, run.config_file(generation));
  Frozen own{std::move(file), run.places(), {}};
  ZT_TRY_ASSIGN(own.job, config::thaw_run(own.file, own.places));
  ZT_TRY(run.check_run_yaml());
  ZT_TRY(run.check_import());
  if (own.file == run.run_yaml()) return own;
  ZT_TRY_ASSIGN(const config::TrainJob first, config::thaw_run(run.run_yaml(), own.places));
  if (const Status change = config::check_resume(first, own.job, config::Paths::Ignored); !change)
    return fail(ErrorCode::Corrupt,
                fmt::format("{} is not a configuration of the run {}: put back the one that was there, or "
                            "remove it to go on with {}; {}",
                            own.file.string(), run.identity().run_id, run.run_yaml().string(),
                            change.error().message));
  return own;
}

// What the run goes on with: its own configuration, changed where the command line says so and where that is
// safe.
Result<std::optional<config::Resolved<config::TrainJob>>> changed_configuration(const Frozen& own,
                                                                                config::LoadRequest request) {
  // An earlier launch's consent was to the data that it found.
  if (own.job.data.accept_change && request.file.empty())
    request.sets.insert(request.sets.begin(), "data.accept_change=false");
  if (request.file.empty() && request.sets.empty()) return std::nullopt;
  if (request.file.empty()) request.file = own.file;
  ZT_TRY_ASSIGN(auto wanted, load_train_job(request));
  note_effects(wanted.effects);
  if (config::is_default_origin(wanted.origins.find("name")->second)) wanted.job.name = own.job.name;
  config::follow_move(wanted.job, own.places);
  ZT_TRY(config::check_resume(own.job, wanted.job));
  if (config::digest(own.job) == config::digest(wanted.job)) return std::nullopt;
  return wanted;
}

/// A run that has saved would begin again at step 0 if what it saved is gone.
Status check_checkpoints_there(const contract::RunFolder& run) {
  if (!contract::list_checkpoints(run.checkpoints()).empty()) return {};
  ZT_TRY_ASSIGN(const contract::EventLog log, contract::read_events(run.events()));
  int64_t saved = -1;
  for (const contract::Event& event : log.events)
    if (const auto* one = std::get_if<contract::CheckpointSaved>(&event.body))
      saved = std::max(saved, one->step);
  if (saved < 0) return {};
  return fail(
      ErrorCode::NotFound,
      fmt::format(
          "the run has saved checkpoints, the last of step {}, and {} has none: put them back, or start "
          "a new run (`zoetrope train --config {}`)",
          saved, run.checkpoints().string(), run.run_yaml().string()));
}

/// What a --resume changed was written there.
void note_lost_attempts(const contract::RunFolder& run) {
  if (const auto attempts = run.attempts(); !attempts || !attempts->empty()) return;
  const auto log = contract::read_events(run.events());
  if (log && !log->events.empty())
    note(fmt::format(
        "zoetrope: warning: the run has been launched before, and {} is gone: it goes on with {}, without "
        "what earlier launches changed in its settings",
        (run.path() / "attempts").string(), run.run_yaml().string()));
}

Result<int> resume(const TrainOptions& options, const config::LoadRequest& request) {
  ZT_TRY_ASSIGN(const RankPlaces places, places_of(options));
  ZT_TRY_ASSIGN(const auto run, contract::RunFolder::find(options.runs_folder, options.resume));
  ZT_TRY_ASSIGN(const auto state, contract::run_state(run));
  // The lock, not the state, which goes by the worker's number: that may be a zombie's, or another process's
  // by now.
  if (const auto lock = run.lock(); !lock) return fail(lock.error());
  ZT_TRY(check_checkpoints_there(run));
  note_lost_attempts(run);
  ZT_TRY_ASSIGN(const Frozen own, frozen_configuration(run, state.generation));
  ZT_TRY_ASSIGN(const auto changed, changed_configuration(own, request));
  const config::TrainJob& job = changed ? changed->job : own.job;
  ZT_TRY(config::check_ranks(job, places.ranks));
  note_surprises(job, places.ranks);
  if (options.dry_run) {
    note(changed ? "the run would go on with this configuration:"
                 : "the run would go on with its own configuration");
    if (changed) print(config::freeze(*changed));
    return 0;
  }
  if (places.elsewhere.hosts.empty()) ZT_TRY(check_worker(job.device));
  ZT_TRY(check_places(places));
  return launch_run(run, changed ? std::optional(config::freeze(*changed)) : std::nullopt, places);
}

/// A script's variable that was never set must not train here alone.
std::string empty_value_error(const std::string& text) {
  return text.empty() ? "wanted a value, found an empty string" : "";
}

/// Returns --ranks.
const CLI::Option* add_places(CLI::App& verb, TrainOptions& options) {
  auto* ranks =
      verb.add_option("--ranks", options.ranks, "Number of processes on this host; may differ at --resume")
          ->check(rank_count_error)
          ->capture_default_str();
  auto* hosts =
      verb.add_option(
              "--hosts", options.hosts,
              "Hosts that train the run together, with their ranks, by ssh: a:4,b:4; or 'slurm', for\n"
              "the nodes and tasks of this Slurm job, and slurm:4 for 4 ranks on each node. They share\n"
              "the runs folder and this program's path")
          ->check(empty_value_error)
          ->excludes(ranks);
  verb.add_option("--hostfile", options.hostfile, "The same as a file: lines HOST slots=N")
      ->check(empty_value_error)
      ->excludes(ranks)
      ->excludes(hosts);
  verb.add_option("--ssh", options.elsewhere.ssh, "How to reach the hosts, e.g. \"ssh -p 2222\"")
      ->check(empty_value_error)
      ->capture_default_str();
  verb.add_option(
      "--address", options.elsewhere.address,
      "This host's numeric address, as the hosts reach it; default: the one on the route to them");
  verb.add_option("--max-restarts", options.max_restarts,
                  "Restarts of dead ranks or lost hosts allowed per hour; 0 = none")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  return ranks;
}

}  // namespace

void add_train(CLI::App& app, Action& chosen) {
  auto* verb = app.add_subcommand("train", "Train: start a run, or go on with one");
  const auto options = std::make_shared<TrainOptions>();
  JobOptions job(*verb, config::values(config::TrainJob{}));
  job.add("--name", "name", "Name of the run")
      .add("--device", "device", "cpu, cuda or cuda:N")
      .add("--steps", "max_train_steps", "Optimizer steps")
      .add("--seed", "seed", "Random seed of the run");
  auto* resumes = verb->add_option("--resume", options->resume,
                                   "Go on with this run: id, unique beginning, path, or 'latest'");
  const auto* runs_dir = add_runs_folder(*verb, options->runs_folder);
  const auto* ranks = add_places(*verb, *options);
  auto* dry_run =
      verb->add_flag("--dry-run", options->dry_run,
                     "Print the resolved configuration with the origin of each value; start nothing");
  verb->add_flag("--json", options->as_json, "With --dry-run: the same as JSON")
      ->needs(dry_run)
      ->excludes(resumes);
  options->foreign.add_to(*verb, resumes);
  verb->add_flag(
          "--create-only", options->create_only,
          "Make the run folder and print where it is; start nothing. torchrun and srun start its ranks with\n"
          "`zoetrope-worker train --run-dir FOLDER`")
      ->excludes("--resume");
  verb->footer(
      "Example: zoetrope train --config stage1.yaml --set optimizer.use_8bit_adam=true\n"
      "Ctrl-C once finishes the step, saves and exits with 75; `zoetrope train --resume latest` goes on.");
  verb->callback([=, &chosen] {
    chosen = [=]() -> Result<int> {
      // Asked of the option, not of its text: `--resume ""`, a script's empty variable, is no wish for a new
      // run.
      if (resumes->count() > 0) return resume(*options, job.request());
      config::LoadRequest request = job.request();
      if (runs_dir->count() > 0)
        request.sets.insert(request.sets.begin(), "output_dir=" + options->runs_folder);
      return start(std::move(request), *options, ranks->count() > 0);
    };
  });
}

}  // namespace zt::cli
