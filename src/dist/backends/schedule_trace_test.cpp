// SPDX-License-Identifier: Apache-2.0
#include "dist/backends/schedule_trace.hpp"

#include <gtest/gtest.h>

namespace zt::dist {
namespace {

struct Trace : ScheduleTrace {
  Trace(uint64_t first, std::initializer_list<uint32_t> fingerprints) {
    for (const uint32_t fingerprint : fingerprints) begin(first++, fingerprint);
  }
  void begin(uint64_t sequence, uint32_t fingerprint) {
    Operation operation;
    operation.sequence = sequence;
    operation.fingerprint = fingerprint;
    started(operation);
  }
};

TEST(ScheduleTrace, NamesTheFirstOperationThatBothBeganDifferently) {
  const Trace mine(10, {0xA, 0xB, 0xC});
  EXPECT_EQ(mine.text(), "10:0000000a 11:0000000b 12:0000000c ");
  EXPECT_EQ(mine.first_difference(mine.text()), std::nullopt);
  EXPECT_EQ(mine.first_difference(Trace(10, {0xA, 0xFFFFFFFF, 0xD}).text()), 11U);
  EXPECT_EQ(mine.first_difference(Trace(12, {0xC, 0xE}).text()), std::nullopt) << "one is ahead";
  EXPECT_EQ(mine.first_difference(Trace(1, {1, 2}).text()), std::nullopt) << "nothing in common";
}

TEST(ScheduleTrace, TextThatIsNoneTellsNothing) {
  const Trace mine(10, {0xA});
  for (const char* text : {"", "10", "10:", "x", "10:z", "99999999999999999999:1 10:0000000b "})
    EXPECT_EQ(mine.first_difference(text), std::nullopt) << text;
}

TEST(ScheduleTrace, RemembersTheNewest) {
  Trace trace(0, {});
  for (uint64_t i = 0; i < 1000; ++i) trace.begin(i, 0);
  EXPECT_EQ(trace.first_difference("0:00000001 "), std::nullopt);
  EXPECT_EQ(trace.first_difference("999:00000001 "), 999U);
}

}  // namespace
}  // namespace zt::dist
