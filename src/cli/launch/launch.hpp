// SPDX-License-Identifier: Apache-2.0
// Starts the worker for a job and stays with it to the end: a training run with its folder, or a job whose
// only traces are its results.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "cli/failure/restart_policy.hpp"
#include "cli/launch/reach_host.hpp"
#include "cli/ranks/worker_session.hpp"
#include "config/load.hpp"
#include "contract/run_folder.hpp"
#include "contract/worker_call.hpp"

namespace zt::cli {

/// The job of a run, meaning the same in every working folder: paths absolute, and in model.stage1_run the
/// folder of the run that is named there by its id, a beginning of it or "latest". Errors: those of
/// load_job() and of the name.
Result<config::Resolved<config::TrainJob>> load_train_job(const config::LoadRequest& request);

/// What the worker would stumble over and this program can see already. Errors: InvalidConfig without data,
/// poses or trained encoders, NotFound naming the key whose file is missing, those of reading the index.
Status check_start(const config::Resolved<config::TrainJob>& resolved);

/// Whether workers of this host can be started and compute on `device`, as far as this program can see.
/// Errors: those of find_worker(); Unsupported where the device is CUDA's and there is no driver.
Status check_worker(const std::string& device);

/// Whether run_job() finds a place for a job's files. Errors: NotFound if TMPDIR names no folder, those of
/// the file system.
Status check_job_folder();

/// Makes the run folder of such a job; the run in model.stage1_run becomes the parent. `is_import`: for
/// launch_import(). Errors: those of the file system.
Result<contract::RunFolder> create_run(const config::Resolved<config::TrainJob>& resolved,
                                       bool is_import = false);

/// Where the worker processes run that train a run together.
struct RankPlaces {
  int64_t ranks = 1;
  HostOptions elsewhere = {};                          ///< hosts of these ranks; none: all are here
  int64_t max_restarts = RestartRules{}.max_restarts;  ///< in an hour, of ranks that die
};

/// Whether the ranks, of several, can find each other from there. Errors: those of address_for_hosts(), and
/// of rendezvous::Server::start() at that address.
Status check_places(const RankPlaces& places);

/// One launch: begins an attempt, runs the worker, writes report.html whatever came out. Where another launch
/// of the run was quicker nothing of this one stays. `changed_yaml`: the configuration of this and later
/// launches, where it is not the run's own. Returns the exit code.
Result<int> launch_run(const contract::RunFolder& run, const std::optional<std::string>& changed_yaml = {},
                       const RankPlaces& places = {});

/// The launch that fills a new run with the weights its configuration names, as the checkpoint of `step`. A
/// run that can't be filled is removed, unless the worker could not say why.
Result<int> launch_import(const contract::RunFolder& run, int64_t step);

/// Runs a job that has no run folder, e.g. generate; `yaml` is the frozen job. Job and log are kept only
/// where the worker could not say why it ended; where they are stands on stderr then. `plan`: of the verb
/// Plan.
Result<WorkerEnd> run_job(contract::WorkerVerb verb, const std::string& yaml,
                          const contract::PlanTarget& plan = {});

/// Prints what a job that succeeded left, one line of JSON of the worker's making: as it is, or as
/// `for_people` words it.
void print_results(const WorkerEnd& end, bool as_json,
                   const std::function<std::string(const nlohmann::ordered_json&)>& for_people);

/// The folder of the run that a user names, or the text itself where it is a path already.
Result<std::string> resolve_run(const std::string& runs_folder, const std::string& named);

}  // namespace zt::cli
