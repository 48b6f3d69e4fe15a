// SPDX-License-Identifier: Apache-2.0
#include "dist/flight_recorder.hpp"

#include <gtest/gtest.h>

#include <utility>

namespace zt::dist {
namespace {

TEST(FlightRecorder, HasNoEntryForWhatItHasDropped) {
  FlightRecorder recorder;
  const uint64_t last = 2 * (FlightRecorder::kCapacity + 2);
  for (uint64_t sequence = 2; sequence <= last; sequence += 2) {
    FlightEntry entry;
    entry.sequence = sequence;
    recorder.started(std::move(entry));
  }

  EXPECT_FALSE(recorder.entry(0)) << "no operation's";
  EXPECT_FALSE(recorder.entry(2));
  EXPECT_FALSE(recorder.entry(4));
  ASSERT_TRUE(recorder.entry(5)) << "a part of the oldest that is held";
  EXPECT_EQ(recorder.entry(5)->sequence, 6U);
  EXPECT_EQ(recorder.entry(last)->sequence, last);
  EXPECT_FALSE(recorder.entry(last + 1));
}

}  // namespace
}  // namespace zt::dist
