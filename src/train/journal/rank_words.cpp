// SPDX-License-Identifier: Apache-2.0
// See rank_words.hpp.
#include "train/journal/rank_words.hpp"

#include <unistd.h>

#include <chrono>
#include <utility>

namespace zt::train {

using contract::Activity;

namespace {

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

RankWords::RankWords(contract::ProgressWriter page, int64_t generation)
    : page_(std::move(page)), since_s_(now_s()) {
  state_.generation = generation;
  state_.pid = ::getpid();
  page_.publish(state_);
}

void RankWords::judge_silence(SilenceLimits limits) {
  const std::lock_guard lock(mutex_);
  silence_.set_limits(limits);
  publish(state_);
}

contract::Progress RankWords::in(Activity activity, std::string_view unit) const {
  contract::Progress next = state_;
  next.activity = activity;
  next.unit = unit;
  next.exchange = 0;
  return next;
}

void RankWords::update(const std::function<void(contract::Progress&)>& change) {
  const std::lock_guard lock(mutex_);
  contract::Progress next = in(Activity::None, "");
  change(next);
  publish(std::move(next));
}

void RankWords::enter(Activity activity) {
  const std::lock_guard lock(mutex_);
  contract::Progress next = in(activity, "");
  next.phase = contract::Phase::Training;
  next.action.clear();
  publish(std::move(next));
}

void RankWords::work_on(Activity activity, std::string_view unit) {
  const std::lock_guard lock(mutex_);
  publish(in(activity, unit));
}

void RankWords::wait_begins(const dist::FlightEntry& operation) {
  const std::lock_guard lock(mutex_);
  activity_before_wait_ = state_.activity;
  unit_before_wait_ = state_.unit;
  contract::Progress next = in(Activity::Exchange, operation.label);
  next.exchange = operation.sequence;
  publish(std::move(next));
}

void RankWords::wait_ends() {
  const std::lock_guard lock(mutex_);
  publish(in(activity_before_wait_, unit_before_wait_));
}

contract::Progress RankWords::last() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void RankWords::publish(contract::Progress next) {
  const double now = now_s();
  silence_.took(state_, now - since_s_);
  since_s_ = now;
  next.limit_s = silence_.limit_s(next);
  next.stop_limit_s = silence_.limits().shortest_s;
  state_ = std::move(next);
  page_.publish(state_);
}

}  // namespace zt::train
