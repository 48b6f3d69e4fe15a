// SPDX-License-Identifier: Apache-2.0
// The ranks that train one run together, as the step loop sees them: which lanes are whose, what is summed
// and gathered when, and what only the first rank decides. With one rank nothing is exchanged and every call
// succeeds. All ranks make the same calls in the same order.
//
// Errors of every call are dist::Communicator's: PeerLost, Timeout. After one every later call fails alike.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "checkpoint/meeting.hpp"
#include "checkpoint/peer_tier.hpp"
#include "config/job/train_job.hpp"
#include "dist/units/unit_exchange.hpp"
#include "params/param_store.hpp"
#include "params/shard.hpp"
#include "rendezvous/client.hpp"
#include "train/journal/flight_dump.hpp"
#include "train/journal/rank_words.hpp"
#include "train/journal/unit_watch.hpp"
#include "train/ranks/rank_groups.hpp"
#include "train/ranks/schedule_check.hpp"
#include "train/state/model_state.hpp"

namespace zt::train {

class StoreMeeting;

class Ranks {
 public:
  Ranks() = default;
  /// `saves`: a connection of its own for the thread that writes checkpoints.
  Ranks(RankGroups groups, std::unique_ptr<rendezvous::Client> saves, config::ParallelJob job);

  int64_t rank() const { return groups_.world ? groups_.world->rank() : 0; }
  int64_t size() const { return groups_.world ? groups_.world->size() : 1; }
  bool is_first() const { return rank() == 0; }
  /// How many of them are on this rank's host, itself included.
  int64_t on_this_host() const;
  /// Whether it is the first of them.
  bool is_first_here() const;
  /// Which of the run's lanes this rank computes: neighbours, so that the sum over ranks is the upper part of
  /// the tree over lanes.
  params::Range lanes(int64_t num_lanes) const;
  /// Of any rank.
  int64_t most_lanes(int64_t num_lanes) const { return (num_lanes + size() - 1) / size(); }

  /// Every rank's numbers, in order of rank. `longest`: an upper bound of all their counts, the same on all.
  Result<std::vector<std::vector<double>>> gather(const std::vector<double>& mine, size_t longest,
                                                  std::string_view what);
  /// Whether `mine` is true on every rank.
  Result<bool> all_agree(bool mine, std::string_view what);
  /// The first rank's numbers. Their count is the same on all.
  Result<std::vector<double>> from_first(std::vector<double> mine, std::string_view what);
  Status barrier(std::string_view what);
  /// Waits for the first rank, which may be at work of its own for longer than any wait of the others may
  /// take: then it calls keep_waiting() now and then.
  Status await_first();
  /// On the first rank, before await_first(): tells the others that it lives, when it is time again.
  Status keep_waiting();
  /// The same within on_first()'s work: nothing where the others bring units meanwhile. That they are lost is
  /// met in the next exchange.
  void say_alive() {
    if (!shares_values()) (void)keep_waiting();
  }

  /// Brings the store's units whose values or gradients are shared, until this ends, which is before the
  /// store; nothing where none are. What the ranks' stores and steps are is compared in the first call of
  /// those below: Internal on all of them if a rank has others (schedule_check.hpp).
  void share_units(params::ParamStore& store, StepShape step = {});
  /// Runs `pass`, a forward and backward pass, with the units' weights there and their gradients taken away;
  /// if it `adds`, to those of earlier passes. Every rank calls it as often; one without a batch with an
  /// empty pass. Throws what the pass throws.
  Status walk(const std::function<void()>& pass, bool adds);
  /// Runs `work` on the first rank, which may use all networks forward; the others bring their shards
  /// meanwhile, or wait as in await_first(). Returns its status there. An error, and what it throws, ends the
  /// group.
  Status on_first(const std::function<Status()>& work);
  /// Whether values are shared: forward passes need walk() or on_first().
  bool shares_values() const { return units_ && units_->shares_values(); }
  /// Whether gradients are: a rank's passes then all use the networks of the store that share_units() had.
  bool shares_gradients() const { return units_ && units_->shares_gradients(); }

  /// Sums the touched segments' gradients over ranks, what walk() has not: all of units of stage 0, else this
  /// rank's shard alone (the rest is then of no use). Every rank must have the same segments touched.
  Status sum_gradients(params::ParamStore& store);
  /// Every rank's shard of the trainable values to all that keep them whole. Nothing of units of stage 0.
  Status gather_values(params::ParamStore& store);

  /// Who holds whose snapshots; nobody does unless the groups have links to neighbours.
  PeerRule peers() const;
  /// Whether snapshots are copied to them: not to one that has the same state anyway.
  bool passes_snapshots() const { return groups_.to_holder && !peers().are_twins; }
  checkpoint::PeerLinks peer_links() const { return {groups_.to_holder.get(), groups_.from_ward.get()}; }

  /// Gives the others up: their waits for this rank end, and so do this rank's, also those of a save. Its
  /// silence is not judged from then on.
  void abandon();

  /// Bytes per second that a rank receives when all gather `elements` fp32 numbers of each, `times` times.
  /// Requires several ranks.
  Result<double> measure_bandwidth(int64_t elements, int times);

  /// From then on the rank's words tell transitions, waits and units, judged for silence where there are
  /// others who would wait for it, and `flight` follows the groups' exchanges. Call it before
  /// share_units().
  void watch(std::shared_ptr<RankWords> words, FlightDump& flight);
  /// A transition of the step's schedule.
  void enter(contract::Activity activity) const {
    if (words_) words_->enter(activity);
  }
  /// A wait for ranks that is not the groups' own begins, as the words tell it.
  void note_wait(std::string_view what) const {
    if (words_) words_->work_on(contract::Activity::Exchange, what);
  }
  /// Of a wait that begins now.
  clock::Deadline deadline() const { return clock::in(std::chrono::seconds(job_.timeout_s)); }

  /// What this rank sent and received so far.
  dist::Traffic traffic() const;
  /// How the ranks' savers meet; nothing with one rank.
  std::shared_ptr<checkpoint::Meeting> meeting() const;
  /// Whether saves can still be made: StoreMeeting::check(). Each rank asks for itself.
  Status check_meeting() const;

 private:
  Status wait_all(std::vector<dist::Pending> operations) const;
  Status compare_schedules() const;
  Status lead_or_wait(const std::function<Status()>& work);
  /// All ranks' group for tensors.
  dist::Communicator& all() const { return groups_.gpus ? *groups_.gpus : *groups_.world; }
  dist::Communicator& copy() const { return groups_.copy ? *groups_.copy : all(); }
  /// The groups of the step; those of the peer tier work beside it.
  std::array<dist::Communicator*, 4> groups() const {
    return {groups_.world.get(), groups_.gpus.get(), groups_.copy.get(), groups_.replicas.get()};
  }
  dist::SharingRanks sharing() const { return {all(), groups_.copy.get()}; }
  std::shared_ptr<RankWords> words_;  ///< null: nobody watches
  RankGroups groups_;
  std::shared_ptr<StoreMeeting> meeting_;
  std::unique_ptr<dist::UnitExchange> units_;
  std::unique_ptr<UnitWatch> unit_watch_;
  std::unique_ptr<ScheduleCheck> schedule_;  ///< null: units are not shared
  config::ParallelJob job_;
  clock::Stopwatch since_told_;  ///< of keep_waiting()
};

}  // namespace zt::train
