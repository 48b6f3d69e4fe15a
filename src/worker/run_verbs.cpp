// SPDX-License-Identifier: Apache-2.0
// See run_verbs.hpp.
#include "worker/run_verbs.hpp"

#include <ATen/Parallel.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/error_policy.hpp"
#include "base/log.hpp"
#include "base/signals.hpp"
#include "config/paths.hpp"
#include "contract/exit_codes.hpp"
#include "contract/run_folder.hpp"
#include "dist/group.hpp"
#include "rendezvous/client.hpp"
#include "tensor/device.hpp"
#include "train/import_weights.hpp"
#include "train/journal.hpp"
#include "train/loop.hpp"
#include "train/setup.hpp"
#include "worker/guard.hpp"

namespace zt::worker {
namespace {

/// Ranks start together; the slowest may still be loading its libraries from a shared disk.
constexpr std::chrono::minutes kJoinLimit{5};

std::string host_name() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

Result<contract::Attempt> find_attempt(const contract::RunFolder& run, int64_t generation) {
  return generation > 0 ? run.attempt(generation) : run.begin_attempt();
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

/// The launcher's store. Errors: InvalidArgument for an address that is none.
Result<rendezvous::ClientOptions> store_options(const contract::RankPlace& place, int64_t generation) {
  rendezvous::ClientOptions store;
  const std::string_view address = place.rendezvous;
  const size_t colon = address.rfind(':');
  const std::string_view port = colon == std::string_view::npos ? "" : address.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), store.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size())
    return fail(ErrorCode::InvalidArgument, "--rendezvous wants HOST:PORT, found '" + place.rendezvous + "'");
  store.host = address.substr(0, colon);
  if (const char* token = std::getenv(contract::kRendezvousToken)) store.token = token;
  store.generation = generation;
  return store;
}

/// The other ranks, found through the store.
Result<train::Ranks> join_ranks(const contract::RankPlace& place, int64_t generation,
                                const config::ParallelJob& job) {
  if (place.ranks == 1) return train::Ranks();
  const clock::Deadline deadline = clock::in(kJoinLimit);
  ZT_TRY_ASSIGN(rendezvous::ClientOptions store, store_options(place, generation));
  // Two connections: the thread that writes checkpoints waits on its own.
  ZT_TRY_ASSIGN(auto saves, rendezvous::Client::connect(store, deadline));
  store.member = std::to_string(place.rank);
  dist::GroupOptions group;
  ZT_TRY_ASSIGN(group.store, rendezvous::Client::connect(store, deadline));
  group.rank = group.world_rank = static_cast<int>(place.rank);
  group.size = static_cast<int>(place.ranks);
  ZT_TRY_ASSIGN(auto groups, train::form_groups(group, job.shard_ranks, deadline));
  return train::Ranks(std::move(groups), std::move(saves), job);
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

Result<int> train_run(const contract::RunFolder& run, const contract::RankPlace& place, int64_t generation,
                      train::Journal& journal, std::chrono::steady_clock::time_point start) {
  ZT_TRY_ASSIGN(const config::TrainJob job, job_of(run, generation));
  ZT_TRY_ASSIGN(const at::Device device, tensor::open_device(job.device));
  ZT_TRY_ASSIGN(train::Ranks ranks, join_ranks(place, generation, job.parallel));
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
  train::Loop loop(setup, run, generation, journal, [] { return signals::stop() != signals::Stop::None; });
  ZT_TRY_ASSIGN(const train::Outcome outcome, loop.run());
  return outcome == train::Outcome::Completed ? contract::kExitOk : kExitResumable;
}

}  // namespace

Result<int> run_launch(const contract::WorkerCall& call) {
  const auto start = std::chrono::steady_clock::now();
  ZT_TRY_ASSIGN(const contract::RunFolder run, contract::RunFolder::open(call.run_dir));
  std::optional<files::Lock> lock;  // the first rank's, for all
  if (call.place.rank == 0) {
    ZT_TRY_ASSIGN(files::Lock held, run.lock());
    lock.emplace(std::move(held));
    files::remove_leftovers(run.path());
  }
  ZT_TRY_ASSIGN(const contract::Attempt attempt, find_attempt(run, call.generation));
  ZT_TRY_ASSIGN(train::Journal journal,
                train::Journal::open(run, attempt, call.progress, static_cast<int>(call.place.rank)));
  Result<int> code = guarded([&] {
    return call.verb == contract::WorkerVerb::Import
               ? import_run(run, attempt.generation, call.step, journal)
               : train_run(run, call.place, attempt.generation, journal, start);
  });
  // A request to stop that came before the first step: nothing to save, everything can be resumed.
  if (!code && code.error().code == ErrorCode::Cancelled && signals::stop() != signals::Stop::None)
    code = kExitResumable;
  journal.event(finished(code, journal.last_progress().step));
  journal.sync();
  return code;
}

}  // namespace zt::worker
