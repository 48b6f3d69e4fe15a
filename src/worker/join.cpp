// SPDX-License-Identifier: Apache-2.0
// See join.hpp.
#include "worker/join.hpp"

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.hpp"
#include "dist/group.hpp"

namespace zt::worker {
namespace {

/// Ranks start together; the slowest may still be loading its libraries from a shared disk.
constexpr std::chrono::minutes kJoinLimit{5};

/// The launcher's store. Errors: InvalidArgument for an address that is none.
Result<rendezvous::ClientOptions> store_of_launcher(const contract::RankPlace& place) {
  rendezvous::ClientOptions store;
  const std::string_view address = place.rendezvous;
  const size_t colon = address.rfind(':');
  const std::string_view port = colon == std::string_view::npos ? "" : address.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), store.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size())
    return fail(ErrorCode::InvalidArgument, "--rendezvous wants HOST:PORT, found '" + place.rendezvous + "'");
  store.host = address.substr(0, colon);
  if (const char* token = std::getenv(contract::kRendezvousToken)) store.token = token;
  return store;
}

}  // namespace

Result<Launch> find_launch(const contract::RunFolder& run, const contract::WorkerCall& call) {
  Launch launch;
  launch.rank = call.place.rank;
  launch.ranks = call.place.ranks;
  if (launch.rank == 0) {
    ZT_TRY_ASSIGN(files::Lock held, run.lock());
    launch.lock.emplace(std::move(held));
    files::remove_leftovers(run.path());
  }
  ZT_TRY_ASSIGN(launch.attempt, call.generation > 0 ? run.attempt(call.generation) : run.begin_attempt());
  if (launch.ranks == 1) return launch;
  ZT_TRY_ASSIGN(launch.store, store_of_launcher(call.place));
  launch.store.generation = launch.attempt.generation;
  ZT_TRY_ASSIGN(launch.saves, rendezvous::Client::connect(launch.store, clock::in(kJoinLimit)));
  return launch;
}

Result<train::Ranks> join_ranks(Launch& launch, const config::TrainJob& job) {
  if (launch.ranks == 1) return train::Ranks();
  const clock::Deadline deadline = clock::in(kJoinLimit);
  rendezvous::ClientOptions store = launch.store;
  store.member = std::to_string(launch.rank);
  dist::GroupOptions group;
  // Beside launch.saves: the thread that writes checkpoints waits on its own.
  ZT_TRY_ASSIGN(group.store, rendezvous::Client::connect(store, deadline));
  group.rank = group.world_rank = static_cast<int>(launch.rank);
  group.size = static_cast<int>(launch.ranks);
  ZT_TRY_ASSIGN(auto formed, dist::form_group(group, deadline));
  return train::Ranks(std::move(formed), std::move(launch.saves), job.parallel);
}

}  // namespace zt::worker
