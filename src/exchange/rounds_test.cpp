// SPDX-License-Identifier: Apache-2.0
// Members as threads of one process, so that the thread sanitizer sees all of them; processes that die are
// the matter of dist/failure_test.cpp.
#include "exchange/rounds.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

namespace zt::exchange {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

clock::Deadline soon() { return clock::in(seconds(20)); }

Layout layout_of(size_t members) {
  Layout layout;
  layout.members = members;
  layout.slots = 3;
  layout.slot_bytes = 64;
  return layout;
}

std::shared_ptr<Segment> segment_of(const Layout& layout) { return *Segment::create(layout.segment_bytes()); }

uint64_t value_of(size_t member, uint64_t round) { return member * 1'000'000 + round; }

/// Publishes as far ahead as it may and checks what the others published. Returns the number of good rounds.
uint64_t exchange_rounds(Rounds& rounds, size_t members, size_t me, uint64_t count) {
  while (rounds.finished() < count) {
    while (rounds.published() < count && rounds.can_publish()) {
      const uint64_t value = value_of(me, rounds.published());
      std::memcpy(rounds.slot_to_fill(), &value, sizeof value);
      rounds.publish();
    }
    const bool is_out = rounds.published() > rounds.finished();
    const WaitResult waited = is_out ? rounds.wait_to_read(soon()) : rounds.wait_to_publish(soon());
    if (waited.end != WaitEnd::Ready) return rounds.finished();
    if (!is_out) continue;
    for (size_t member = 0; member < members; ++member) {
      if (member == me) continue;
      uint64_t value = 0;
      std::memcpy(&value, rounds.slot_of(member), sizeof value);
      if (value != value_of(member, rounds.finished())) return rounds.finished();
    }
    rounds.finish();
  }
  return count;
}

TEST(Rounds, EveryMemberReadsWhatEveryOtherPublished) {
  constexpr uint64_t kCount = 2000;
  for (const size_t members : {1U, 2U, 4U}) {
    const Layout layout = layout_of(members);
    const auto segment = segment_of(layout);
    std::vector<uint64_t> good(members);
    std::vector<std::thread> threads;
    for (size_t me = 0; me < members; ++me) {
      threads.emplace_back([&, me] {
        Rounds rounds(segment, layout, me);
        good[me] = exchange_rounds(rounds, members, me, kCount);
      });
    }
    for (std::thread& thread : threads) thread.join();

    EXPECT_EQ(good, std::vector<uint64_t>(members, kCount)) << members << " members";
  }
}

TEST(Rounds, MemberMayBeAheadByItsSlots) {
  const Layout layout = layout_of(2);
  const auto segment = segment_of(layout);
  Rounds fast(segment, layout, 0), slow(segment, layout, 1);
  for (size_t i = 0; i < layout.slots; ++i) {
    ASSERT_TRUE(fast.can_publish());
    fast.publish();
  }

  EXPECT_FALSE(fast.can_publish());
  slow.publish();
  slow.finish();
  EXPECT_TRUE(fast.can_publish());
}

TEST(Rounds, MemberThatDoesNotComeIsNamedAtTheDeadline) {
  const Layout layout = layout_of(3);
  const auto segment = segment_of(layout);
  Rounds me(segment, layout, 0), there(segment, layout, 1), late(segment, layout, 2);
  me.publish();
  there.publish();

  const WaitResult result = me.wait_to_read(clock::in(milliseconds(5)));

  EXPECT_EQ(result.end, WaitEnd::Timeout);
  EXPECT_EQ(result.member, 2U);
}

TEST(Rounds, MemberThatLeftIsLostAndWhatItPublishedIsNot) {
  const Layout layout = layout_of(2);
  const auto segment = segment_of(layout);
  Rounds me(segment, layout, 0);
  auto other = std::make_unique<Rounds>(segment, layout, 1);
  other->publish();
  other.reset();

  EXPECT_EQ(me.wait_to_read(soon()).end, WaitEnd::Ready);
  me.publish();
  me.finish();
  const WaitResult result = me.wait_to_read(soon());
  EXPECT_EQ(result.end, WaitEnd::Lost);
  EXPECT_EQ(result.member, 1U);
}

TEST(Rounds, AbortEndsAWait) {
  const Layout layout = layout_of(2);
  const auto segment = segment_of(layout);
  Rounds me(segment, layout, 0), other(segment, layout, 1);
  std::thread aborting([&] { me.abort(); });

  EXPECT_EQ(me.wait_to_read(soon()).end, WaitEnd::Cancelled);

  aborting.join();
}

}  // namespace
}  // namespace zt::exchange
