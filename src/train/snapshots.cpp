// SPDX-License-Identifier: Apache-2.0
// See snapshots.hpp.
#include "train/snapshots.hpp"

#include <chrono>
#include <exception>
#include <system_error>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/thrown.hpp"

namespace zt::train {

Snapshots::Snapshots(Setup& setup, checkpoint::Memory& memory, int64_t generation, Journal& journal)
    : setup_(setup),
      memory_(memory),
      generation_(generation),
      journal_(journal),
      copies_(memory, setup.ranks.passes_snapshots() ? setup.ranks.peer_links() : checkpoint::PeerLinks(),
              std::chrono::seconds(setup.job.parallel.timeout_s)) {}

Snapshots::~Snapshots() {
  if (own_copy_.joinable()) own_copy_.join();
}

checkpoint::Snapshot Snapshots::at_hand() const {
  checkpoint::Snapshot snapshot;
  snapshot.step = setup_.cursor.step;
  snapshot.tensors = state_tensors(setup_.state);
  snapshot.scalars = state_scalars(setup_.state, setup_.cursor);
  return snapshot;
}

Status Snapshots::keep() {
  if (!setup_.keeps_snapshots) return {};
  await_copy();
  const clock::Stopwatch watch;
  if (copies_.is_on()) await_peers();
  // Nobody overwrites a snapshot while another rank's copy of the one after it is under way: the two slots of
  // all files have a step in common at any moment.
  ZT_TRY(setup_.ranks.barrier("snapshots in memory"));
  is_pending_ = true;
  if (has_room_) begin_copy();
  blocked_s_ += watch.seconds();
  return {};
}

void Snapshots::begin_copy() {
  const auto copy = [this, snapshot = at_hand()] {
    try {
      kept_ = memory_.own.keep(snapshot, generation_);
    } catch (const std::exception& thrown) {  // thread border
      kept_ = fail(error_of(thrown));
    }
  };
  try {
    own_copy_ = std::thread(copy);
  } catch (const std::system_error&) {  // no thread is to be had
    copy();
  }
}

void Snapshots::await_copy() {
  if (!is_pending_) return;
  const clock::Stopwatch watch;
  is_pending_ = false;
  if (own_copy_.joinable()) own_copy_.join();
  if (const Status kept = std::exchange(kept_, Status()); !kept) {
    has_room_ = false;  // then no step is in the memory of all ranks, and the disk serves
    give_up("in memory", kept.error());
  }
  copies_.begin();
  blocked_s_ += watch.seconds();
}

void Snapshots::copy_again() { copies_.begin(); }

void Snapshots::drop_later() {
  await();
  memory_.drop_after(setup_.cursor.step);
}

void Snapshots::await() {
  await_copy();
  await_peers();
}

void Snapshots::await_peers() {
  if (!copies_.is_on()) return;
  setup_.ranks.note_wait("snapshots of neighbours");
  const Status copied = copies_.await();
  if (copied) return;
  if (copied.error().code == ErrorCode::Corrupt)
    warn("a snapshot was not copied into a neighbour's memory: " + copied.error().text());
  else
    give_up("in neighbours' memory", copied.error());
}

void Snapshots::give_up(const std::string& where, const Error& error) {
  if (error.code == ErrorCode::PeerLost || error.code == ErrorCode::Cancelled) return;  // the step meets it
  warn("no snapshots " + where + " from here on: " + error.text());
}

void Snapshots::warn(const std::string& text) {
  journal_.event(contract::Warning{"train", text});
  log::warn("train", text);
}

}  // namespace zt::train
