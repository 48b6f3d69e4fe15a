// SPDX-License-Identifier: Apache-2.0
// See lost_watch.hpp.
#include "dist/backends/lost_watch.hpp"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "base/log.hpp"
#include "rendezvous/server.hpp"

namespace zt::dist {
namespace {

/// Of one attempt to reach a silent store: stop() waits for it.
constexpr std::chrono::milliseconds kReconnectSlice{500};
/// Behind each attempt, which may fail or be cut off at once.
constexpr std::chrono::milliseconds kReconnectPause{100};

}  // namespace

std::optional<int> rank_named(const Meeting& meeting, const std::string& member) {
  for (int rank = 0; rank < meeting.size(); ++rank)
    if (std::to_string(meeting.members[static_cast<size_t>(rank)].world_rank) == member) return rank;
  return std::nullopt;
}

std::optional<int> lost_member(const Meeting& meeting, clock::Deadline deadline) {
  const auto first = meeting.store->get(rendezvous::kFirstLostKey, deadline);
  return first ? rank_named(meeting, *first) : std::nullopt;
}

std::string gave_up_key(const Meeting& meeting, int rank) {
  return fmt::format("{}gave-up/{}", meeting.prefix, rank);
}

void give_up(const Meeting& meeting) {
  const std::string me = std::to_string(meeting.members[static_cast<size_t>(meeting.rank)].world_rank);
  // Without the rendezvous the others see the broken connection, or their deadline.
  [[maybe_unused]] const auto ignored = meeting.store->compare_and_set(rendezvous::kFirstLostKey, "", me);
}

Result<std::unique_ptr<LostWatch>> LostWatch::begin(const Meeting& meeting,
                                                    std::function<void(Outcome)> on_end) {
  ZT_TRY_ASSIGN(auto store, meeting.store->another(meeting.deadline));
  return std::unique_ptr<LostWatch>(new LostWatch(meeting, std::move(store), std::move(on_end)));
}

LostWatch::LostWatch(const Meeting& meeting, std::unique_ptr<rendezvous::Client> store,
                     std::function<void(Outcome)> on_end)
    : meeting_(meeting), store_(std::move(store)), on_end_(std::move(on_end)) {
  thread_ = std::thread([this] { watch(); });
}

LostWatch::~LostWatch() { stop(); }

void LostWatch::stop() {
  std::call_once(stopped_, [this] {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
      store_->abort();
    }
    stops_.notify_all();
    thread_.join();
  });
}

Status LostWatch::connect_again(const Error& why) {
  if (!std::exchange(is_cut_off_, true))
    log::warn("dist", "lost ranks can't be heard of, it is tried again: " + why.text());
  for (;;) {
    auto anew = meeting_.store->another(clock::in(kReconnectSlice));
    std::unique_lock lock(mutex_);
    if (!anew && anew.error().code != ErrorCode::Unavailable) return fail(std::move(anew.error()));
    stops_.wait_for(lock, kReconnectPause, [this] { return is_stopping_; });
    if (is_stopping_) return fail(ErrorCode::Cancelled, "the group has ended");
    if (!anew) continue;
    store_ = *std::move(anew);
    return {};
  }
}

Result<std::string> LostWatch::first_lost() {
  auto first = store_->get(rendezvous::kFirstLostKey, clock::in(meeting_.compare_after));
  if (first || first.error().code != ErrorCode::Unavailable) {
    is_cut_off_ = false;
    return first;
  }
  ZT_TRY(connect_again(first.error()));
  return store_->get(rendezvous::kFirstLostKey, clock::in(meeting_.compare_after));
}

void LostWatch::watch() {
  auto first = first_lost();
  while (!first &&
         (first.error().code == ErrorCode::Timeout || first.error().code == ErrorCode::Unavailable)) {
    if (trace_.waits_for() >= meeting_.compare_after) {
      if (auto diverged = compare_schedules(trace_, meeting_, *store_)) return on_end_(*std::move(diverged));
    }
    first = first_lost();
  }
  if (!first) {
    if (first.error().code == ErrorCode::Superseded)
      on_end_({Outcome::Kind::Cancelled, 0, {}, first.error().text()});
    else if (first.error().code != ErrorCode::Cancelled)
      log::warn("dist", "lost ranks can't be heard of any more: " + first.error().text());
    return;
  }
  const std::optional<int> rank = rank_named(meeting_, *first);
  if (!rank)
    on_end_({Outcome::Kind::PeerLost, 0, {}, fmt::format("rank {} of the run is gone", *first)});
  else if (*rank != meeting_.rank)
    on_end_({Outcome::Kind::PeerLost, 0, {*rank}, {}});
}

}  // namespace zt::dist
