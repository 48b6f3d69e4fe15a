// SPDX-License-Identifier: Apache-2.0
// See store_meeting.hpp.
#include "train/ranks/store_meeting.hpp"

#include <algorithm>
#include <utility>

#include "base/clock.hpp"
#include "rendezvous/server.hpp"

namespace zt::train {
namespace {

constexpr const char* kPrefix = "checkpoint/";
constexpr std::chrono::milliseconds kSlice{250}, kLook{50};

Error gone_for_good(const Error& cause) {
  return {ErrorCode::Unavailable,
          "the store through which the ranks save is gone: " + cause.text() +
              ". Was the launcher killed? No checkpoint can be made without it, so training ends here; "
              "`zoetrope train --resume`, or the same torchrun or srun command, goes on from the last one",
          {}};
}

}  // namespace

StoreMeeting::StoreMeeting(std::unique_ptr<Client> store, int rank, int size,
                           std::chrono::milliseconds reconnect_limit)
    : rank_(rank), size_(size), reconnect_limit_(reconnect_limit), store_(std::move(store)) {}

std::shared_ptr<rendezvous::Client> StoreMeeting::connection() {
  const std::lock_guard lock(mutex_);
  return store_;
}

Result<std::shared_ptr<rendezvous::Client>> StoreMeeting::in_place_of(const std::shared_ptr<Client>& lost) {
  const std::lock_guard lock(mutex_);
  if (store_ != lost) return store_;  // another thread was here
  if (!over_) {
    auto anew = lost->another(clock::in(reconnect_limit_));
    if (anew) return store_ = std::move(*anew);
    over_ = anew.error().code == ErrorCode::Unavailable ? gone_for_good(anew.error()) : anew.error();
  }
  return fail(*over_);
}

template <class T>
Result<T> StoreMeeting::ask(const std::function<Result<T>(Client&)>& call) {
  const std::shared_ptr<Client> store = connection();
  Result<T> answer = call(*store);
  if (answer || answer.error().code != ErrorCode::Unavailable) return answer;
  ZT_TRY_ASSIGN(const auto anew, in_place_of(store));
  return call(*anew);
}

Status StoreMeeting::post(const std::string& key, const std::string& text) {
  return ask<void>([&](Client& store) { return store.set(kPrefix + key, text); });
}

Result<std::vector<std::string>> StoreMeeting::await(const std::vector<std::string>& keys,
                                                     std::chrono::milliseconds limit) {
  std::vector<std::string> named;
  for (const std::string& key : keys) named.push_back(kPrefix + key);
  const clock::Deadline until = clock::in(limit);
  for (;;) {
    auto texts = ask<std::vector<std::string>>(
        [&](Client& store) { return store.get(named, std::min(until, clock::in(kSlice))); });
    const bool goes_on = !texts && texts.error().code == ErrorCode::Timeout && clock::left(until).count() > 0;
    if (!goes_on) return texts;
    // A rank that is gone says nothing any more.
    if (const auto lost = connection()->get(rendezvous::kFirstLostKey, clock::in(kLook)))
      return fail(ErrorCode::PeerLost, "rank " + *lost + " is gone");
  }
}

void StoreMeeting::forget(const std::string& key) {
  (void)ask<bool>([&](Client& store) { return store.erase(kPrefix + key); });
}

Status StoreMeeting::check() {
  const std::shared_ptr<Client> store = connection();
  if (store->is_lost()) ZT_TRY(in_place_of(store));
  return {};
}

void StoreMeeting::abort() {
  const std::lock_guard lock(mutex_);
  over_ = Error{ErrorCode::Cancelled, "the ranks' saves were given up"};
  store_->abort();
}

}  // namespace zt::train
