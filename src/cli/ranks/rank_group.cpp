// SPDX-License-Identifier: Apache-2.0
// See rank_group.hpp.
#include "cli/ranks/rank_group.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

#include "base/error_policy.hpp"
#include "contract/exit_codes.hpp"

namespace zt::cli {

bool is_failure(const process::Exit& exit) {
  return exit.signal != 0 || (exit.code != 0 && exit.code != kExitResumable);
}

namespace {

/// What an end says of why the group ended: a rank that lost another says the least; one that was given up
/// for a later launch less than a rank that was lost.
int weight(const process::Exit& exit) {
  if (is_consequence(exit)) return 0;
  return exit.signal == 0 && contract::error_of_exit(exit.code) == ErrorCode::Superseded ? 1 : 2;
}

}  // namespace

bool is_consequence(const process::Exit& exit) {
  return exit.signal == 0 && contract::error_of_exit(exit.code) == ErrorCode::PeerLost;
}

bool RankGroup::have_all_ended() const {
  return std::ranges::all_of(ends_, [](const auto& end) { return end.has_value(); });
}

void RankGroup::note_end(size_t rank, RankEnd end) {
  // Ranks that end together: one that only lost another is not the cause, nor one that end_within() killed.
  const bool is_killed_here = end.exit.signal == SIGKILL && is_overdue();
  const bool is_first =
      !failed_first_ || (weight(end.exit) > weight(ends_[*failed_first_]->exit) && !is_killed_here);
  if (is_failure(end.exit) && is_first) failed_first_ = rank;
  ends_[rank] = std::move(end);
}

GroupEnd RankGroup::end(bool saved) const {
  const auto end_of_rank = [&](size_t rank) {
    return GroupEnd{ends_[rank]->exit, static_cast<int>(rank), ends_[rank]->message};
  };
  if (saved && !has_failed(0)) return end_of_rank(0);
  const size_t failed = failed_first_.value_or(0);
  if (!is_consequence(ends_[failed]->exit)) return end_of_rank(failed);
  // One that was asked to stop while it loaded leaves the others without their first rank: that is no
  // failure.
  for (size_t rank = 0; rank < size(); ++rank)
    if (ends_[rank]->exit.code == kExitResumable) return end_of_rank(rank);
  return end_of_rank(failed);
}

Status RankGroup::start(size_t rank, int64_t generation, int64_t number) {
  ZT_TRY(spawn(rank, generation, number));
  ends_[rank].reset();
  failed_first_.reset();
  return {};
}

void RankGroup::end_within(std::chrono::milliseconds limit) {
  if (!kill_at_) kill_at_ = clock::in(limit);
}

bool RankGroup::is_overdue() const {
  return kill_at_ && clock::left(*kill_at_) == std::chrono::milliseconds(0);
}

}  // namespace zt::cli
