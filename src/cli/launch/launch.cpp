// SPDX-License-Identifier: Apache-2.0
#include "cli/launch/launch.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/files/files.hpp"
#include "base/process/process.hpp"
#include "base/text/random_hex.hpp"
#include "cli/launch/environment.hpp"
#include "cli/options/job_options.hpp"
#include "cli/output/output.hpp"
#include "cli/version.hpp"
#include "config/paths.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/events.hpp"
#include "contract/exit_codes.hpp"
#include "contract/words/progress.hpp"
#include "data/clip_index.hpp"
#include "rendezvous/server.hpp"
#include "report/run_report.hpp"

namespace zt::cli {
namespace {

namespace fs = std::filesystem;

// Each host's part of the session's ranks, which learn their hosts' names.
Status spread_over_hosts(WorkerSession& session, const contract::Attempt& attempt,
                         const HostOptions& options) {
  ZT_TRY_ASSIGN(const fs::path program, process::program());
  int64_t first = 0;
  for (const HostSlots& host : options.hosts) {
    HostCall call{.run_dir = files::whole_path(session.call.run_dir),
                  .generation = attempt.generation,
                  .host = host.name,
                  .first_rank = first,
                  .num_here = host.slots,
                  .ranks = session.call.place.ranks,
                  .rendezvous = session.call.place.rendezvous,
                  .token = session.rendezvous_token,
                  .keeps_memory = session.keeps_memory};
    session.hosts.push_back({std::move(call), agent_command(options, host.name, program.string()),
                             attempt.folder / fmt::format("host-{}.log", host.name)});
    for (int64_t i = 0; i < host.slots; ++i, ++first)
      session.call_of(static_cast<size_t>(first)).place.host = host.name;
  }
  return {};
}

// Makes of a worker's session that of several ranks, which find each other through the store that is
// returned and must outlive them.
Result<std::unique_ptr<rendezvous::Server>> add_ranks(WorkerSession& session,
                                                      const contract::Attempt& attempt,
                                                      const RankPlaces& places) {
  rendezvous::ServerOptions options;
  options.token = session.rendezvous_token = random_hex(32);
  options.ranks = static_cast<size_t>(places.ranks);
  const bool is_elsewhere = !places.elsewhere.hosts.empty();
  if (is_elsewhere) {
    ZT_TRY_ASSIGN(options.address, address_for_hosts(places.elsewhere));
  }
  ZT_TRY_ASSIGN(auto store, rendezvous::Server::start(options));
  session.call.place = {.ranks = places.ranks,
                        .rendezvous = fmt::format("{}:{}", options.address, store->port())};
  if (session.restarts) {
    session.restarts->store_host = options.address;
    session.restarts->store_port = store->port();
  }
  for (int rank = 1; rank < places.ranks; ++rank) {
    OtherRank other{session.call, attempt.log(rank)};
    other.call.place.rank = rank;
    other.call.progress = attempt.progress(rank);
    session.others.push_back(std::move(other));
  }
  if (is_elsewhere) ZT_TRY(spread_over_hosts(session, attempt, places.elsewhere));
  return store;
}

// Starts the worker, or all ranks, on a run's new attempt and stays with it. Errors: as of supervise().
Result<WorkerEnd> attend(const contract::RunFolder& run, const contract::Attempt& attempt,
                         contract::WorkerVerb verb, int64_t step = 0, const RankPlaces& places = {}) {
  WorkerSession session;
  session.call.verb = verb;
  session.call.step = step;
  session.call.run_dir = run.path();
  session.call.generation = attempt.generation;
  session.call.progress = attempt.progress();
  session.log = attempt.log();
  if (verb == contract::WorkerVerb::Train && places.max_restarts > 0) {
    session.restarts = Restarts{run, {}, 0, places.max_restarts};
    session.keeps_memory = true;
  }
  std::unique_ptr<rendezvous::Server> store;
  if (places.ranks > 1 || !places.elsewhere.hosts.empty()) {
    ZT_TRY_ASSIGN(const fs::path file, run.config_file(attempt.generation));
    ZT_TRY_ASSIGN(const config::TrainJob job, config::thaw_run(file, run.places()));
    session.hang_s = static_cast<double>(job.parallel.hang_s);
    ZT_TRY_ASSIGN(store, add_ranks(session, attempt, places));
  }
  return supervise(session);
}

// " from step 500 of 512 that were done", where not all was saved; else empty.
std::string lost_steps(const contract::RunFolder& run, const contract::Attempt& attempt) {
  const auto progress = contract::read_progress(attempt.progress());
  int64_t saved = 0;
  for (const auto& entry : contract::list_checkpoints(run.checkpoints()))
    if (!entry.defect) saved = std::max(saved, entry.step);
  if (!progress || progress->phase < contract::Phase::Training || progress->step <= saved) return {};
  return fmt::format(" from step {} of {} that were done", saved, progress->step);
}

void say_how_it_ended(const contract::RunFolder& run, const contract::Attempt& attempt, int code) {
  const std::string id = run.identity().run_id;
  if (code == contract::kExitOk) note(fmt::format("{} is complete", id));
  if (code == kExitResumable)
    note(fmt::format("{} stopped and can go on{}: zoetrope train --resume {}", id, lost_steps(run, attempt),
                     id));
}

// Whether the worker came to hold the run: then it has said at least how it ended.
bool has_begun(const contract::RunFolder& run, const contract::Attempt& attempt) {
  const auto log = contract::read_events(run.events());
  return !log || std::ranges::any_of(log->events, [&](const contract::Event& event) {
    return event.generation == attempt.generation;
  });
}

// Where a job without a run folder (generate, eval...) has its files while it runs: job, progress words, log.
// What a killed program left there is removed by the next.
Result<files::Temporary> job_folder() {
  std::error_code ec;
  const fs::path folder = fs::temp_directory_path(ec);
  if (ec) {
    const char* named = std::getenv("TMPDIR");
    return fail(ErrorCode::NotFound, fmt::format("TMPDIR={}: {}: set it to a folder, or unset it",
                                                 named ? named : "/tmp", ec.message()));
  }
  const fs::path target = folder / "zoetrope";
  files::remove_leftovers_of(target);
  return files::Temporary::folder(target);
}

}  // namespace

Status check_job_folder() {
  ZT_TRY(job_folder());
  return {};
}

Result<std::string> resolve_run(const std::string& runs_folder, const std::string& named) {
  ZT_TRY_ASSIGN(const auto run, contract::RunFolder::find(runs_folder, named));
  return run.path().string();
}

Result<config::Resolved<config::TrainJob>> load_train_job(const config::LoadRequest& request) {
  ZT_TRY_ASSIGN(auto resolved, config::load<config::TrainJob>(request));
  config::ModelJob& model = resolved.job.model;
  if (!model.stage1_run.empty() && !fs::path(model.stage1_run).is_absolute()) {
    ZT_TRY_ASSIGN(model.stage1_run, resolve_run(resolved.job.output_dir, model.stage1_run));
  }
  std::error_code ec;
  config::make_paths_absolute(resolved.job, fs::current_path(ec));
  return resolved;
}

Status check_start(const config::Resolved<config::TrainJob>& resolved) {
  const config::DataJob& wanted = resolved.job.data;
  ZT_TRY(config::require_data(wanted));
  ZT_TRY(config::require_encoders(resolved.job.model));
  ZT_TRY(config::check_inputs(resolved));
  if (wanted.index.empty()) return {};
  ZT_TRY_ASSIGN(auto clips, data::read_index(wanted.index));
  ZT_TRY_ASSIGN(clips, data::select_splits(std::move(clips), wanted.splits));
  return data::require_poses(clips);
}

Status check_worker(const std::string& device) {
  ZT_TRY(find_worker());
  if (device == "cpu" || ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL) != nullptr) return {};
  return fail(ErrorCode::Unsupported,
              fmt::format("device {} needs NVIDIA's driver: {}; use --device cpu on this machine", device,
                          ::dlerror()));
}

Status check_places(const RankPlaces& places) {
  const bool is_elsewhere = !places.elsewhere.hosts.empty();
  if (places.ranks == 1 && !is_elsewhere) return {};
  rendezvous::ServerOptions options;
  options.ranks = static_cast<size_t>(places.ranks);
  if (is_elsewhere) {
    ZT_TRY_ASSIGN(options.address, address_for_hosts(places.elsewhere));
  }
  ZT_TRY(rendezvous::Server::start(options));
  return {};
}

Result<contract::RunFolder> create_run(const config::Resolved<config::TrainJob>& resolved, bool is_import) {
  const config::TrainJob& job = resolved.job;
  contract::CreateRun options;
  if (!job.model.stage1_run.empty()) {
    ZT_TRY_ASSIGN(const auto parent, contract::RunFolder::open(job.model.stage1_run));
    options.parent = parent.identity().run_id;
  }
  options.runs_folder = job.output_dir;
  options.name = job.name;
  options.run_yaml = config::freeze(resolved);
  options.config_digest = config::digest(job);
  options.kind = fmt::format("stage{}", job.stage);
  options.code_version = code_version();
  options.environment = environment();
  options.is_import = is_import;
  return contract::RunFolder::create(options);
}

Result<int> launch_run(const contract::RunFolder& run, const std::optional<std::string>& changed_yaml,
                       const RankPlaces& places) {
  ZT_TRY_ASSIGN(const auto attempt, run.begin_attempt());
  if (changed_yaml) ZT_TRY(files::write_atomic(attempt.run_yaml(), *changed_yaml));
  note(fmt::format("run {}, attempt {}: {}", run.identity().run_id, attempt.generation, run.path().string()));
  const Result<WorkerEnd> attended = attend(run, attempt, contract::WorkerVerb::Train, /*step=*/0, places);
  const bool is_unavailable = !attended || contract::error_of_exit(attended->code) == ErrorCode::Unavailable;
  if (is_unavailable && places.elsewhere.hosts.empty() && !has_begun(run, attempt)) {
    // Later attempts would take its configuration, and listings its end, for the run's.
    std::error_code ignored;
    fs::remove_all(attempt.folder, ignored);
    return attended ? Result<int>(attended->code) : fail(attended.error());
  }
  ZT_TRY_ASSIGN(const WorkerEnd end, attended);
  if (const auto written = report::write_run_report(run); !written) {
    note("zoetrope: warning: no report: " + written.error().text());
  } else {
    note("report: " + run.report().string());
  }
  say_how_it_ended(run, attempt, end.code);
  return end.code;
}

Result<int> launch_import(const contract::RunFolder& run, int64_t step) {
  ZT_TRY_ASSIGN(const auto attempt, run.begin_attempt());
  const Result<WorkerEnd> end = attend(run, attempt, contract::WorkerVerb::Import, step);
  std::error_code ignored;
  const bool has_failed = !end || (end->code != contract::kExitOk && end->has_said);
  if (has_failed && contract::list_checkpoints(run.checkpoints()).empty())
    fs::remove_all(run.path(), ignored);
  ZT_TRY(end);
  // A stop saves nothing here that could go on.
  return end->code == kExitResumable ? contract::kExitStoppedNow : end->code;
}

void print_results(const WorkerEnd& end, bool as_json,
                   const std::function<std::string(const nlohmann::ordered_json&)>& for_people) {
  if (end.code != contract::kExitOk) return;
  const auto results = nlohmann::ordered_json::parse(end.results, nullptr, /*allow_exceptions=*/false);
  print(as_json || !results.is_object() ? end.results : for_people(results));
}

Result<WorkerEnd> run_job(contract::WorkerVerb verb, const std::string& yaml,
                          const contract::PlanTarget& plan) {
  ZT_TRY_ASSIGN(files::Temporary folder, job_folder());
  WorkerSession session;
  session.call.verb = verb;
  session.call.plan = plan;
  session.call.job = folder.path() / "job.yaml";
  session.call.progress = folder.path() / "progress";
  session.log = folder.path() / "log";
  session.keep_results = true;
  ZT_TRY(files::write_atomic(session.call.job, yaml));
  ZT_TRY_ASSIGN(WorkerEnd end, supervise(session));
  if (!end.has_said) folder.keep();
  return end;
}

}  // namespace zt::cli
