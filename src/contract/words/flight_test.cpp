// SPDX-License-Identifier: Apache-2.0
#include "contract/words/flight.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "base/files/files.hpp"
#include "support/temp_folder.hpp"

namespace zt::contract {
namespace {

Flight two_exchanges() {
  Flight flight;
  flight.generation = 3;
  flight.rank = 1;
  flight.groups = {{"world", {0, 1, 2, 3}}, {"copy.0", {0, 1}}};
  flight.host = "node\"7\xff";  // hostile bytes cost a letter, not the record
  flight.step = 12;
  flight.doing = "backward";
  flight.reason = "asked";
  flight.time_s = 1.5e9;
  flight.exchanges = {
      {"world", 7, "reduce_scatter", "unit.7 gradients", 4096, 99, ExchangeState::Complete, 1.5, 2.5},
      {"copy.0", 9, "all_gather", "unit.7 values", 2048, 100, ExchangeState::Started, 2.75, 0}};
  return flight;
}

TEST(FlightRecord, ComesBackAsWritten) {
  const test::TempFolder folder;
  ASSERT_TRUE(write_flight(folder / "flight", two_exchanges()));

  const auto read = read_flight(folder / "flight");

  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->generation, 3);
  EXPECT_EQ(read->groups, two_exchanges().groups);
  EXPECT_EQ(read->host, "node\"7\xEF\xBF\xBD");
  EXPECT_EQ(read->doing, "backward");
  ASSERT_EQ(read->exchanges.size(), 2U);
  EXPECT_EQ(read->exchanges[0].label, "unit.7 gradients");
  EXPECT_EQ(read->exchanges[0].ended_s, 2.5);
  EXPECT_EQ(read->exchanges[1].group, "copy.0");
  EXPECT_EQ(read->exchanges[1].sequence, 9U);
  EXPECT_EQ(read->exchanges[1].fingerprint, 100U);
  EXPECT_EQ(read->exchanges[1].state, ExchangeState::Started);
}

TEST(FlightRecord, CutAtAnyByteItGivesWhatIsWholeOrAnError) {
  const test::TempFolder folder;
  ASSERT_TRUE(write_flight(folder / "flight", two_exchanges()));
  const std::string whole = *files::read(folder / "flight");
  const size_t first_line = whole.find('\n');
  for (size_t length = 0; length < whole.size(); ++length) {
    std::ofstream(folder / "torn", std::ios::binary) << whole.substr(0, length);
    const auto read = read_flight(folder / "torn");
    EXPECT_EQ(read.has_value(), length >= first_line) << length;
    EXPECT_LE(read ? read->exchanges.size() : 0, 2U);
  }
}

TEST(FlightRecord, ForeignLinesAreLeftOut) {
  const test::TempFolder folder;
  ASSERT_TRUE(write_flight(folder / "flight", two_exchanges()));
  std::ofstream(folder / "flight", std::ios::app) << "[1,2]\n{\"seq\":\"x\"}\n"
                                                  << std::string(100000, '[') << "\n";

  EXPECT_EQ(read_flight(folder / "flight")->exchanges.size(), 2U);
}

TEST(FlightRecord, NumbersThatAreNoneAreDamage) {
  const test::TempFolder folder;
  ASSERT_TRUE(write_flight(folder / "flight", two_exchanges()));
  const std::string whole = files::read(folder / "flight").value();
  const auto with = [&](const std::string& key, size_t from, const std::string& value) {
    const size_t at = whole.find("\"" + key + "\":", from) + key.size() + 3;
    const std::string damaged = std::string(whole).replace(at, whole.find_first_of(",}", at) - at, value);
    std::ofstream(folder / "damaged") << damaged;
    return read_flight(folder / "damaged");
  };

  for (const std::string& value : {std::string("1.5"), std::string("\"h\""), "1" + std::string(60, '0')}) {
    EXPECT_EQ(with("rank", 0, value).error().code, ErrorCode::Corrupt) << value;
    EXPECT_EQ(with("seq", whole.find('\n'), value)->exchanges.size(), 1U) << value;
  }
}

TEST(FlightRecord, OtherFilesAndVersionsAreRefused) {
  const test::TempFolder folder;
  std::ofstream(folder / "other") << "{\"format\":\"x\"}\n";
  std::ofstream(folder / "newer") << "{\"format\":\"zoetrope-flight\",\"version\":2}\n";

  EXPECT_EQ(read_flight(folder / "other").error().code, ErrorCode::Corrupt);
  EXPECT_EQ(read_flight(folder / "newer").error().code, ErrorCode::Unsupported);
  EXPECT_EQ(read_flight(folder / "absent").error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace zt::contract
