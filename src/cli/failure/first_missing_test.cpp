// SPDX-License-Identifier: Apache-2.0
#include "cli/failure/first_missing.hpp"

#include <gtest/gtest.h>

namespace zt::cli {
namespace {

using contract::ExchangeState;
using contract::Flight;
using contract::FlightExchange;
using Flights = std::vector<std::optional<Flight>>;

/// Exchanges `first` to `last` of a fixed schedule, the last `open` of them not complete.
Flight flight(uint64_t first, uint64_t last, uint64_t open, int64_t ranks = 2) {
  Flight flight;
  flight.generation = 1;
  for (int64_t rank = 0; rank < ranks; ++rank) flight.groups["world"].push_back(rank);
  for (uint64_t s = first; s <= last; ++s) {
    const ExchangeState state = s + open > last ? ExchangeState::Started : ExchangeState::Complete;
    flight.exchanges.push_back(
        {"world", s, "reduce_scatter", "unit." + std::to_string(s), 64, 10, state, 1.0, 0});
  }
  return flight;
}

TEST(FirstMissing, NamesTheRankThatHasNotEntered) {
  const auto missing = first_missing(Flights{flight(1, 9, 1, 3), flight(1, 8, 0, 3), flight(1, 11, 3, 3)});
  ASSERT_TRUE(missing);
  EXPECT_EQ(text_of(*missing), "rank 1 has not entered reduce_scatter 'unit.9' (exchange 9 of world)");
}

TEST(FirstMissing, NamesTheRankThatLeftNoRecord) {
  const auto missing = first_missing(Flights{flight(1, 9, 1), std::nullopt});
  ASSERT_TRUE(missing);
  EXPECT_EQ(text_of(*missing), "rank 1 has not entered reduce_scatter 'unit.9' (exchange 9 of world)");
}

TEST(FirstMissing, NamesWhoLeavesTheScheduleOfTheOthers) {
  Flight other = flight(1, 9, 1, 3);
  other.exchanges[6].fingerprint = 11;
  other.exchanges[8].label = "later";
  const auto missing = first_missing(Flights{flight(3, 9, 1, 3), other, flight(1, 9, 1, 3)});
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->kind, Missing::Kind::Diverged);
  EXPECT_EQ(text_of(*missing),
            "rank 1 is in a different operation than reduce_scatter 'unit.7' (exchange 7 of world)");
}

TEST(FirstMissing, NamesBothOfTwoThatDiffer) {
  Flight other = flight(1, 9, 1);
  other.exchanges.erase(other.exchanges.begin() + 4);
  const auto missing = first_missing(Flights{flight(1, 9, 1), other});
  ASSERT_TRUE(missing);
  EXPECT_EQ(text_of(*missing),
            "ranks 0, 1 are in different operations at reduce_scatter 'unit.5' (exchange 5 of world)");
}

// Two copies of two ranks; rank 3 is stopped. Rank 2 waits for it in their copy, and the others, a moment
// later, for rank 2 as well.
TEST(FirstMissing, OfSeveralGroupsTheOneThatBeganToWaitFirstTells) {
  Flights flights(4);
  for (size_t rank = 0; rank < 3; ++rank) {
    Flight& flight = flights[rank].emplace();
    flight.generation = 1;
    flight.groups = {{"world", {0, 1, 2, 3}},
                     {rank < 2 ? "copy.0" : "copy.1", {rank < 2 ? 0 : 2, rank < 2 ? 1 : 3}}};
    const auto started = [&](const char* group, uint64_t sequence, double at_s) {
      flight.exchanges.push_back(
          {group, sequence, "all_gather", "x", 64, 10, ExchangeState::Started, at_s, 0});
    };
    rank < 2 ? started("world", 5, 11.0) : started("copy.1", 8, 10.0);
  }

  const auto missing = first_missing(flights);

  ASSERT_TRUE(missing);
  EXPECT_EQ(text_of(*missing), "rank 3 has not entered all_gather 'x' (exchange 8 of copy.1)");
}

TEST(FirstMissing, RecordsOfAnEarlierGenerationCountAsNone) {
  Flight old = flight(1, 900, 0);
  Flight now = flight(1, 4, 1);
  now.generation = 2;
  const auto missing = first_missing(Flights{old, now});
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->ranks, std::vector<int64_t>{0});
}

TEST(FirstMissing, IsNobodyWhereAllAreInTheSameOrNothingIsKnown) {
  EXPECT_FALSE(first_missing(Flights{flight(1, 9, 1), flight(2, 9, 1)}));
  EXPECT_FALSE(first_missing(Flights{flight(1, 9, 0), flight(2, 9, 0)}));
  EXPECT_FALSE(first_missing(Flights{std::nullopt, std::nullopt}));
  EXPECT_FALSE(first_missing({}));
}

}  // namespace
}  // namespace zt::cli
