// SPDX-License-Identifier: Apache-2.0
// Snapshots between two ranks of a real group: threads, processes that die, both backends.
#include "checkpoint/peer_tier.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "dist/group.hpp"
#include "support/rank_processes.hpp"

namespace zt::checkpoint {
namespace {

using namespace std::chrono_literals;
using exchange::SnapshotFile;
using test::RankProcesses;
using test::RankSeat;

/// Of several rounds of the shared segment.
constexpr int64_t kElements = 1'000'003;

Snapshot snapshot_of(int64_t step) {
  Snapshot snapshot;
  snapshot.step = step;
  snapshot.tensors = {{"param/w", at::arange(kElements, at::kFloat) + double(step)}};
  snapshot.scalars = {{"train.step", step}};
  return snapshot;
}

MemoryTier new_tier() {
  static std::vector<files::Descriptor> open_files;
  open_files.push_back(*SnapshotFile::make());
  return *MemoryTier::open(open_files.back().get());
}

/// The group of a pair: its owner is rank 0.
std::unique_ptr<dist::Communicator> link_of(const RankSeat& seat, const std::string& backend, int owner) {
  dist::GroupOptions options;
  options.store = seat.meet();
  options.name = "peers." + std::to_string(owner);
  options.backend = backend;
  options.rank = seat.rank == owner ? 0 : 1;
  options.size = 2;
  options.world_rank = seat.rank;
  return *dist::form_group(options, clock::in(20s));
}

/// A rank of two that hold for each other.
struct Peer {
  Peer(const RankSeat& seat, const std::string& backend)
      : first(link_of(seat, backend, 0)),
        second(link_of(seat, backend, 1)),
        copies(memory,
               seat.rank == 0 ? PeerLinks{first.get(), second.get()} : PeerLinks{second.get(), first.get()},
               20s) {}
  Status keep(int64_t step) {
    ZT_TRY(copies.await());
    ZT_TRY(memory.own.keep(snapshot_of(step), /*generation=*/1));
    copies.begin();
    return {};
  }
  Memory memory{new_tier(), new_tier()};
  std::unique_ptr<dist::Communicator> first, second;
  PeerCopies copies;
};

std::string text_of(const std::vector<int64_t>& steps) {
  std::string text;
  for (const int64_t step : steps) text += std::to_string(step) + " ";
  return text;
}

/// Whether the tier's snapshot of `step` is what snapshot_of() makes.
bool is_snapshot(const MemoryTier& tier, int64_t step) {
  const std::vector<params::StateTensor> tensors = {{"param/w", at::zeros({kElements})}};
  const auto scalars = tier.restore(step, tensors);
  return scalars && std::get<int64_t>(scalars->at(0).value) == step &&
         at::equal(tensors[0].value, snapshot_of(step).tensors[0].value);
}

class PeerTier : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Backends, PeerTier, testing::Values("shared-memory", "gloo"));

TEST_P(PeerTier, EachHoldsTheOthersLastTwoSnapshots) {
  const std::string backend = GetParam();
  RankProcesses ranks(2, [&](const RankSeat& seat) -> std::string {
    Peer peer(seat, backend);
    for (const int64_t step : {1, 2, 3})
      if (const Status kept = peer.keep(step * 10 + seat.rank); !kept) return kept.error().text();
    if (const Status done = peer.copies.await(); !done) return done.error().text();
    const int64_t other = 1 - seat.rank;
    if (peer.memory.held.steps() != std::vector<int64_t>{20 + other, 30 + other})
      return "holds " + text_of(peer.memory.held.steps());
    return is_snapshot(peer.memory.held, 30 + other) ? "ok" : "other bytes";
  });
  ranks.expect_all_ok();
}

// As with a lost host: its successor has empty files, and gets its snapshot back.
TEST_P(PeerTier, OwnerGetsItBack) {
  const std::string backend = GetParam();
  RankProcesses ranks(2, [&](const RankSeat& seat) -> std::string {
    const auto link = link_of(seat, backend, /*owner=*/0);
    MemoryTier tier = new_tier();
    Status done;
    if (seat.rank == 1) {
      (void)tier.keep(snapshot_of(7), 1);
      done = pass_on(*link, tier.file().newest(), clock::in(20s));
    } else {
      done = take_over(*link, tier.file(), clock::in(20s));
    }
    if (!done) return done.error().text();
    return is_snapshot(tier, 7) ? "ok" : "other bytes";
  });
  ranks.expect_all_ok();
}

TEST_P(PeerTier, DeathOfTheOwnerAmidACopyLeavesTheOneBefore) {
  const std::string backend = GetParam();
  RankProcesses ranks(2, [&](const RankSeat& seat) -> std::string {
    const auto link = link_of(seat, backend, /*owner=*/0);
    MemoryTier tier = new_tier();
    if (seat.rank == 1) {
      if (const Status first = take_over(*link, tier.file(), clock::in(20s)); !first)
        return first.error().text();
      seat.parent->say("first");
      const Status second = take_over(*link, tier.file(), clock::in(20s));
      if (second || second.error().code != ErrorCode::PeerLost) return "the death was not met";
      return tier.steps() == std::vector<int64_t>{1} && is_snapshot(tier, 1) ? "ok" : text_of(tier.steps());
    }
    (void)tier.keep(snapshot_of(1), 1);
    (void)pass_on(*link, tier.file().newest(), clock::in(20s));
    // The notice of a second one, and no bytes.
    int64_t notice[4] = {2, 1, kElements * 4, 0};
    (void)link->broadcast(at::from_blob(notice, {sizeof notice}, at::kByte), 0, "notice of a snapshot")
        .wait(clock::in(20s));
    seat.parent->say("noticed");
    seat.parent->hear(clock::in(20s));
    return "unreachable";
  });
  EXPECT_EQ(ranks.hear(1), "first");
  EXPECT_EQ(ranks.hear(0), "noticed");
  ranks.signal(0, SIGKILL);
  EXPECT_EQ(ranks.hear(1), "ok");
}

void flip_a_bit(MemoryTier& tier) {
  const_cast<std::byte&>(tier.file().newest()->bytes[1000]) ^= std::byte{1};
}

// Bytes that are not those of the checksum: the copy never counts.
TEST(PeerTierBytes, ThatChangedOnTheWayAreRefused) {
  RankProcesses ranks(2, [&](const RankSeat& seat) -> std::string {
    const auto link = link_of(seat, "shared-memory", /*owner=*/0);
    MemoryTier tier = new_tier();
    if (seat.rank == 1) {
      const Status taken = take_over(*link, tier.file(), clock::in(20s));
      const bool is_refused = !taken && taken.error().code == ErrorCode::Corrupt;
      return is_refused && tier.steps().empty() ? "ok" : "a changed snapshot was taken";
    }
    (void)tier.keep(snapshot_of(1), 1);
    flip_a_bit(tier);
    const Status passed = pass_on(*link, tier.file().newest(), clock::in(20s));
    return !passed && passed.error().code == ErrorCode::Corrupt ? "ok" : "a changed snapshot was passed on";
  });
  ranks.expect_all_ok();
}

// Both ranks know of it, so they meet again at the next snapshot.
TEST(PeerTierBytes, ThatChangedCostOneCopy) {
  RankProcesses ranks(2, [&](const RankSeat& seat) -> std::string {
    Peer peer(seat, "shared-memory");
    for (const int64_t step : {1, 2, 3}) {
      const Status copied = peer.copies.await();
      const bool is_told = !copied && copied.error().code == ErrorCode::Corrupt;
      if (is_told != (step == 2))
        return "before step " + std::to_string(step) + (is_told ? " told" : " not told");
      (void)peer.memory.own.keep(snapshot_of(step), 1);
      if (step == 1 && seat.rank == 0) flip_a_bit(peer.memory.own);
      peer.copies.begin();
    }
    if (const Status done = peer.copies.await(); !done) return done.error().text();
    const std::string held = text_of(peer.memory.held.steps());
    return held == "2 3 " ? "ok" : held;
  });
  ranks.expect_all_ok();
}

TEST(PeerTierEnd, WhoKeepsNoneSaysSoOnceAndTheOtherDirectionGoesOn) {
  RankProcesses ranks(2, [&](const RankSeat& seat) -> std::string {
    Peer peer(seat, "shared-memory");
    for (int64_t step = 1; step <= 3; ++step) {
      const Status copied = peer.copies.await();
      const bool is_told = !copied && copied.error().code == ErrorCode::NotFound;
      if (is_told != (step == 2))
        return "after step " + std::to_string(step) + " the other's lack was " +
               (is_told ? "told" : "not told");
      if (seat.rank == 0) (void)peer.memory.own.keep(snapshot_of(step), 1);
      peer.copies.begin();
    }
    (void)peer.copies.await();
    return text_of(peer.memory.held.steps()) == (seat.rank == 0 ? "" : "2 3 ")
               ? "ok"
               : text_of(peer.memory.held.steps());
  });
  ranks.expect_all_ok();
}

TEST(PeerTierOff, WithoutLinksNothingIsCopied) {
  Memory memory{new_tier(), new_tier()};
  ASSERT_TRUE(memory.own.keep(snapshot_of(1), 1));
  PeerCopies copies(memory, {}, 1s);

  copies.begin();

  EXPECT_TRUE(copies.await());
  EXPECT_TRUE(memory.held.steps().empty());
}

}  // namespace
}  // namespace zt::checkpoint
