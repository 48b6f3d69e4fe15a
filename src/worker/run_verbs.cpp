// SPDX-License-Identifier: Apache-2.0
// See run_verbs.hpp.
#include "worker/run_verbs.hpp"

#include <ATen/Parallel.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <climits>
#include <string>
#include <utility>

#include "base/error_policy.hpp"
#include "base/log.hpp"
#include "base/signals.hpp"
#include "config/paths.hpp"
#include "contract/exit_codes.hpp"
#include "contract/run_folder.hpp"
#include "tensor/device.hpp"
#include "train/import_weights.hpp"
#include "train/journal.hpp"
#include "train/loop.hpp"
#include "train/run_plan.hpp"
#include "train/setup.hpp"
#include "worker/guard.hpp"
#include "worker/join.hpp"

namespace zt::worker {
namespace {

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

contract::AttemptStarted started(at::Device device) {
  contract::AttemptStarted event;
  event.host = host_name();
  event.pid = ::getpid();
  event.device = device.str();
  return event;
}

contract::AttemptStarted started(const train::Setup& setup) {
  contract::AttemptStarted event = started(setup.device);
  event.threads = static_cast<int64_t>(setup.num_threads);
  event.from_step = setup.cursor.step;
  event.checkpoint = setup.resumed_from;
  return event;
}

/// A request to stop that came before the first step: nothing to save, everything can be resumed.
bool was_stopped(const Error& error) {
  return error.code == ErrorCode::Cancelled && signals::stop() != signals::Stop::None;
}

contract::AttemptFinished finished(const Result<int>& code, int64_t step) {
  contract::AttemptFinished event;
  event.step = step;
  if (code) {
    event.outcome = *code == contract::kExitOk ? "completed" : "stopped";
    event.exit_code = *code;
    return event;
  }
  event.outcome = "failed";
  event.exit_code = contract::exit_code(code.error());
  event.error_code = name(code.error().code);
  event.message = code.error().text();
  return event;
}

Result<config::TrainJob> job_of(const contract::RunFolder& run, int64_t generation) {
  return config::thaw_run(run.config_file(generation), {run.identity().folder, run.path()});
}

Result<int> import_run(const contract::RunFolder& run, int64_t generation, int64_t step,
                       train::Journal& journal) {
  ZT_TRY_ASSIGN(const config::TrainJob job, job_of(run, generation));
  ZT_TRY_ASSIGN(const at::Device device, tensor::open_device(job.device));
  journal.event(started(device));
  ZT_TRY(train::import_weights(job, run, generation, step, device, journal));
  return contract::kExitOk;
}

Result<int> train_run(const contract::RunFolder& run, Launch& launch, train::Journal& journal,
                      std::chrono::steady_clock::time_point start) {
  const int64_t generation = launch.attempt.generation;
  ZT_TRY_ASSIGN(config::TrainJob job, job_of(run, generation));
  ZT_TRY_ASSIGN(const at::Device device, tensor::open_device(job.device));
  ZT_TRY_ASSIGN(train::Ranks ranks, join_ranks(launch, job));
  if (job.threads == 0) job.threads = launch.threads;
  ZT_TRY_ASSIGN(const auto setup, train::set_up(job, run, device, std::move(ranks), journal));
  at::set_num_threads(static_cast<int>(setup->num_threads));
  journal.event(started(*setup));
  const std::chrono::duration<double> loading = std::chrono::steady_clock::now() - start;
  const params::ParamStore& store = *setup->state.networks.store;
  int64_t total = 0;
  for (const params::StoredParam& param : store.params()) total += param.info.numel();
  journal.event(
      contract::AttemptReady{loading.count(), store.num_trainable(), total - store.num_trainable()});
  log::info("train", "ready after " + std::to_string(loading.count()) +
                         " s, step=" + std::to_string(setup->cursor.step) +
                         " trainable=" + std::to_string(store.num_trainable()));
  if (launch.ranks > 1 && launch.rank == 0) {
    ZT_TRY_ASSIGN(const std::string plan, train::launch_plan(*setup));
    log::info("train", plan);
  }
  train::Loop loop(setup, run, generation, journal, [] { return signals::stop() != signals::Stop::None; });
  ZT_TRY_ASSIGN(const train::Outcome outcome, loop.run());
  return outcome == train::Outcome::Completed ? contract::kExitOk : kExitResumable;
}

}  // namespace

Result<int> run_launch(const contract::WorkerCall& call) {
  const auto start = std::chrono::steady_clock::now();
  ZT_TRY_ASSIGN(const contract::RunFolder run, contract::RunFolder::open(call.run_dir));
  Result<Launch> launch = find_launch(run, call);
  if (!launch && was_stopped(launch.error())) return kExitResumable;
  if (!launch) return fail(std::move(launch.error()));
  ZT_TRY_ASSIGN(train::Journal journal,
                train::Journal::open(run, launch->attempt, call.progress, static_cast<int>(launch->rank)));
  Result<int> code = guarded([&] {
    return call.verb == contract::WorkerVerb::Import
               ? import_run(run, launch->attempt.generation, call.step, journal)
               : train_run(run, *launch, journal, start);
  });
  if (!code && was_stopped(code.error())) code = kExitResumable;
  journal.event(finished(code, journal.last_progress().step));
  journal.sync();
  return code;
}

}  // namespace zt::worker
