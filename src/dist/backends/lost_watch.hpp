// SPDX-License-Identifier: Apache-2.0
// What the rendezvous knows of the other ranks, for transports that can't tell a dead peer from a silent one,
// nor one that does something else.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "dist/backends/backend.hpp"
#include "dist/backends/backends.hpp"
#include "dist/backends/schedule_trace.hpp"
#include "rendezvous/client.hpp"

namespace zt::dist {

/// The group's rank of a member of the run; nothing if it is of another group.
std::optional<int> rank_named(const Meeting& meeting, const std::string& member);

/// The group's rank that the rendezvous records as the first lost one, if it does so by the deadline.
std::optional<int> lost_member(const Meeting& meeting, clock::Deadline deadline);

/// Where a rank of the group says that it gave up waiting, for whoever looks for the one that is missing.
std::string gave_up_key(const Meeting& meeting, int rank);

/// Records this rank as lost, unless another was before: the others' watches end.
void give_up(const Meeting& meeting);

/// A thread that waits for the rendezvous to record a lost rank of the run, and compares schedules
/// (dist/backends/schedule_trace.hpp) while this rank waits for others for longer than meeting.compare_after.
class LostWatch {
 public:
  /// `on_end` is called once at most, from the thread: PeerLost naming the rank (of nobody, if it is of
  /// another group: its peers give up theirs, so nobody may be left to take part in this one), Diverged, or
  /// Cancelled when a newer generation began. Errors: those of connecting to the store.
  static Result<std::unique_ptr<LostWatch>> begin(const Meeting& meeting,
                                                  std::function<void(Outcome)> on_end);
  ~LostWatch();
  /// After it `on_end` is not called any more. From any thread but the watch's own; repeatable.
  void stop();
  ScheduleTrace& trace() { return trace_; }

 private:
  LostWatch(const Meeting& meeting, std::unique_ptr<rendezvous::Client> store,
            std::function<void(Outcome)> on_end);
  void watch();
  /// The first lost rank, asked for over a new connection where the old one is of no use any more: a launcher
  /// that was stopped (Ctrl-Z) or that swapped answers again later. Errors: as Client::get().
  Result<std::string> first_lost();
  /// Until it succeeds, stop() is called, or the store refuses.
  Status connect_again(const Error& why);

  const Meeting meeting_;
  std::mutex mutex_;  ///< of what stop() and the thread both use
  std::condition_variable stops_;
  bool is_stopping_ = false;
  std::unique_ptr<rendezvous::Client> store_;  ///< replaced by the thread alone
  bool is_cut_off_ = false;                    ///< the thread's own; it has warned
  const std::function<void(Outcome)> on_end_;
  ScheduleTrace trace_;
  std::once_flag stopped_;
  std::thread thread_;
};

}  // namespace zt::dist
