// SPDX-License-Identifier: Apache-2.0
// See join.hpp.
#include "worker/join.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/clock.hpp"
#include "base/process/process.hpp"
#include "base/process/resources.hpp"
#include "base/signals.hpp"
#include "base/text/text.hpp"
#include "config/foreign/foreign_files.hpp"
#include "config/paths.hpp"
#include "contract/rank_environment.hpp"
#include "contract/store_address.hpp"
#include "dist/group.hpp"
#include "exchange/segment.hpp"
#include "tensor/device.hpp"

namespace zt::worker {
namespace {

using contract::EnvironmentPlace;
using std::chrono::milliseconds;

/// Ranks start together; the slowest may still be loading its libraries from a shared disk.
constexpr std::chrono::minutes kJoinLimit{5};
constexpr milliseconds kPoll{50};
/// A store that lives answers at once; an address that leads elsewhere may never.
constexpr milliseconds kSavesConnectLimit{2000};
constexpr std::chrono::minutes kSavesAnswerWithin{10};
/// How long the process before a restarted rank may still hold the run: that of a host that the launcher
/// could not reach, whose agent kills it after ten seconds.
constexpr std::chrono::seconds kOrphanLimit{15};
constexpr uint64_t kMaxAddressBytes = 1 << 16;

/// The launcher's store. Errors: InvalidArgument for an address that is none.
Result<rendezvous::ClientOptions> store_of_launcher(const contract::RankPlace& place) {
  rendezvous::ClientOptions store;
  const std::string_view address = place.rendezvous;
  const size_t colon = address.rfind(':');
  const std::string_view port = colon == std::string_view::npos ? "" : address.substr(colon + 1);
  const auto number = text::to_number<decltype(store.port)>(port);
  if (!number)
    return fail(ErrorCode::InvalidArgument, "--rendezvous needs HOST:PORT, found '" + place.rendezvous + "'");
  store.port = *number;
  store.host = address.substr(0, colon);
  if (const char* token = std::getenv(contract::kRendezvousToken)) store.token = token;
  return store;
}

}  // namespace

Result<std::unique_ptr<rendezvous::Client>> connect_for_saves(rendezvous::ClientOptions store,
                                                              clock::Deadline deadline) {
  store.answer_within = kSavesAnswerWithin;
  return rendezvous::Client::connect(store, deadline);
}

namespace {

Status hold_run(const contract::RunFolder& run, std::chrono::seconds limit, Launch& launch) {
  const clock::Deadline deadline = clock::in(limit);
  while (!launch.lock) {
    auto held = run.lock();
    if (held)
      launch.lock.emplace(std::move(*held));
    else if (held.error().code != ErrorCode::Unavailable || clock::left(deadline) == milliseconds(0))
      return fail(std::move(held.error()));
    else
      clock::sleep(kPoll);
  }
  files::remove_leftovers(run.path());
  return {};
}

Result<Launch> launch_of_call(const contract::RunFolder& run, const contract::WorkerCall& call) {
  Launch launch;
  launch.rank = call.place.rank;
  launch.ranks = call.place.ranks;
  launch.host = call.place.host;
  if (launch.rank == 0)
    ZT_TRY(hold_run(run, call.restart > 0 ? kOrphanLimit : std::chrono::seconds(0), launch));
  ZT_TRY_ASSIGN(launch.attempt, call.generation > 0 ? run.attempt(call.generation) : run.begin_attempt());
  if (launch.ranks == 1) return launch;
  ZT_TRY_ASSIGN(launch.store, store_of_launcher(call.place));
  launch.store.generation = launch.attempt.generation;
  ZT_TRY_ASSIGN(launch.saves, connect_for_saves(launch.store, clock::in(kJoinLimit)));
  return launch;
}

Result<process::Child> start_store(const contract::Attempt& attempt, const EnvironmentPlace& place) {
  ZT_TRY_ASSIGN(const auto programs, process::program_folder());
  process::SpawnOptions options;
  options.argv = {
      programs / "zoetrope",         "store", "--file", attempt.store(), "--launch", place.launch, "--ranks",
      fmt::format("{}", place.ranks)};
  if (!place.first_host.empty()) options.argv.insert(options.argv.end(), {"--known-as", place.first_host});
  if (place.is_one_host) options.argv.emplace_back("--one-host");
  // A pipe of the launcher's would keep it waiting for the store's end.
  options.out = process::Stream::discard();
  options.err = process::Stream::to_file(attempt.folder / "store.log");
  options.parent_death_signal = 0;
  return process::Child::spawn(options);
}

/// Goes to the store that an attempt's file names, if it is this launch's and alive. False if not.
bool try_store(const contract::Attempt& attempt, const EnvironmentPlace& place, Launch& launch) {
  const auto text = files::read(attempt.store(), kMaxAddressBytes);
  const auto address = text ? contract::parse_store_address(*text) : fail(text.error());
  if (!address || address->launch != place.launch || address->ranks != place.ranks) return false;
  for (const std::string& host : address->hosts) {
    rendezvous::ClientOptions store;
    store.host = host;
    store.port = address->port;
    store.token = address->token;
    store.generation = attempt.generation;
    auto client = connect_for_saves(store, clock::in(kSavesConnectLimit));
    if (!client) continue;
    launch.attempt = attempt;
    launch.store = std::move(store);
    launch.saves = std::move(*client);
    return true;
  }
  return false;
}

Status check_waiting(clock::Deadline deadline, const contract::RunFolder& run,
                     const EnvironmentPlace& place) {
  if (signals::stop() != signals::Stop::None)
    return fail(ErrorCode::Cancelled, "asked to stop while waiting for the other ranks");
  if (clock::left(deadline) > milliseconds(0)) return {};
  return fail(
      ErrorCode::Timeout,
      fmt::format("rank {} of {} waited {} s for the store of its launch ({}) in {}: check that {}the run "
                  "folder is on "
                  "a disk that all hosts share, and that they reach each other",
                  place.rank, place.ranks, std::chrono::seconds(kJoinLimit).count(), place.origin,
                  (run.path() / "attempts").string(), place.rank == 0 ? "" : "the first rank has started, "));
}

Status begin_foreign(const contract::RunFolder& run, const EnvironmentPlace& place, Launch& launch) {
  ZT_TRY(hold_run(run, std::chrono::seconds(0), launch));
  ZT_TRY_ASSIGN(launch.attempt, run.begin_attempt());
  if (place.ranks == 1) return {};
  ZT_TRY_ASSIGN(process::Child store, start_store(launch.attempt, place));
  const clock::Deadline deadline = clock::in(kJoinLimit);
  while (!try_store(launch.attempt, place, launch)) {
    ZT_TRY(check_waiting(deadline, run, place));
    const auto ended = store.wait(kPoll);
    if (ended)
      return fail(ErrorCode::Unavailable,
                  fmt::format("the ranks' store ended with {}; its log is {}", ended->text(),
                              (launch.attempt.folder / "store.log").string()));
  }
  std::move(store).release();
  return {};
}

Status find_foreign(const contract::RunFolder& run, const EnvironmentPlace& place, Launch& launch) {
  const clock::Deadline deadline = clock::in(kJoinLimit);
  for (;;) {
    ZT_TRY_ASSIGN(std::vector<contract::Attempt> attempts, run.attempts());
    std::ranges::reverse(attempts);
    // An earlier launch of the same name, e.g. a second torchrun, has left a file only if its store was
    // killed.
    const auto found = std::ranges::find_if(
        attempts, [&](const auto& attempt) { return try_store(attempt, place, launch); });
    if (found != attempts.end()) return {};
    ZT_TRY(check_waiting(deadline, run, place));
    clock::sleep(kPoll);
  }
}

/// Before anything is begun or met: a rank that is refused later takes the store from the others.
Status check_launcher(const contract::RunFolder& run, const contract::Environment& environment,
                      int64_t ranks) {
  constexpr int64_t kNewest = std::numeric_limits<int64_t>::max();
  ZT_TRY_ASSIGN(const auto file, run.config_file(kNewest));
  ZT_TRY_ASSIGN(const config::TrainJob job, config::thaw_run(file, run.places()));
  return config::check_launch(environment, job, ranks);
}

/// Ends a client's calls once this process is asked to stop.
class AbortOnStop {
 public:
  explicit AbortOnStop(rendezvous::Client& store) : store_(store), thread_([this] { watch(); }) {}
  AbortOnStop(const AbortOnStop&) = delete;
  AbortOnStop& operator=(const AbortOnStop&) = delete;
  ~AbortOnStop() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    over_.notify_one();
    thread_.join();
  }

 private:
  void watch() {
    std::unique_lock lock(mutex_);
    while (!over_.wait_for(lock, kPoll, [this] { return is_over_; }))
      if (signals::stop() != signals::Stop::None) return store_.abort();
  }
  rendezvous::Client& store_;
  std::mutex mutex_;
  std::condition_variable over_;
  bool is_over_ = false;
  std::thread thread_;
};

}  // namespace

Result<Launch> find_launch(const contract::RunFolder& run, const contract::WorkerCall& call) {
  if (call.generation > 0 || call.has_place || call.verb != contract::WorkerVerb::Train)
    return launch_of_call(run, call);
  const contract::Environment environment = contract::environment_of_process();
  ZT_TRY_ASSIGN(const auto place, contract::place_in_environment(environment));
  ZT_TRY(check_launcher(run, environment, place ? place->ranks : 1));
  if (!place) return launch_of_call(run, call);
  // Killed, it leaves its ranks alone: they save and end, as without `zoetrope`.
  if (place->is_child) ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  Launch launch;
  launch.rank = place->rank;
  launch.ranks = place->ranks;
  launch.host = place->host;
  ZT_TRY(launch.rank == 0 ? begin_foreign(run, *place, launch) : find_foreign(run, *place, launch));
  return launch;
}

Result<train::Ranks> join_ranks(Launch& launch, const config::TrainJob& job, JoinRules rules) {
  if (launch.ranks == 1) {
    ZT_TRY_ASSIGN(launch.device, tensor::open_device(job.device));
    return train::Ranks();
  }
  ZT_TRY(config::check_ranks(job, launch.ranks));
  const clock::Deadline deadline = clock::in(kJoinLimit);
  rendezvous::ClientOptions store = launch.store;
  store.member = std::to_string(launch.rank);
  dist::GroupOptions group;
  // Beside launch.saves: the thread that writes checkpoints waits on its own.
  ZT_TRY_ASSIGN(group.store, rendezvous::Client::connect(store, deadline));
  std::optional<AbortOnStop> ends_on_stop;
  if (rules.ends_on_stop) ends_on_stop.emplace(*group.store);
  group.rank = group.world_rank = static_cast<int>(launch.rank);
  group.size = static_cast<int>(launch.ranks);
  group.host = launch.host;
  // What the launcher takes for two hosts is two, also where one kernel runs both.
  if (!launch.host.empty()) group.host_identity = exchange::host_identity() + " " + launch.host;
  ZT_TRY(tensor::open_device(job.device));  // before the group asks libtorch anything about CUDA
  ZT_TRY_ASSIGN(auto world, dist::form_group(group, deadline));
  const std::span members = world->identity().members;
  const std::string& own_host = members[static_cast<size_t>(launch.rank)].host;
  const auto on_own_host = [&](const auto& some) {
    return std::ranges::count(some, own_host, &dist::Member::host);
  };
  launch.threads = std::max<int64_t>(1, resources::cores() / on_own_host(members));
  ZT_TRY_ASSIGN(launch.device, tensor::open_device(
                                   job.device, on_own_host(members.first(static_cast<size_t>(launch.rank)))));
  group.device = launch.device;
  ZT_TRY_ASSIGN(auto groups, train::form_groups(std::move(world), group, job.parallel.shard_ranks, deadline));
  if (rules.keeps_memory && job.checkpoint.memory_peer && job.checkpoint.memory_every_steps > 0) {
    const train::PeerRule peers = train::peer_rule(groups.world->identity().members, job.parallel);
    ZT_TRY(train::link_peers(groups, peers, group, deadline));
  }
  return train::Ranks(std::move(groups), std::move(launch.saves), job.parallel);
}

}  // namespace zt::worker
