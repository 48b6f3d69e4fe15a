// SPDX-License-Identifier: Apache-2.0
#include "contract/store_address.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace zt::contract {
namespace {

TEST(StoreAddress, IsReadAsDocumented) {
  const auto address = parse_store_address(R"({"version": 1, "launch": "slurm 17.0 0", "ranks": 4,
      "hosts": ["10.0.0.5", "192.168.1.5"], "port": 40123, "token": "5f"})");

  ASSERT_TRUE(address);
  EXPECT_EQ(address->launch, "slurm 17.0 0");
  EXPECT_EQ(address->ranks, 4);
  EXPECT_THAT(address->hosts, testing::ElementsAre("10.0.0.5", "192.168.1.5"));
  EXPECT_EQ(address->port, 40123);
  EXPECT_EQ(address->token, "5f");
}

TEST(StoreAddress, SurvivesWritingAndReading) {
  const auto address = parse_store_address(to_json({"torch a \"b\" 0", 2, {"127.0.0.1"}, 1, "t"}));

  ASSERT_TRUE(address);
  EXPECT_EQ(address->launch, "torch a \"b\" 0");
}

TEST(StoreAddress, AnotherVersionIsNotGuessedAt) {
  EXPECT_EQ(parse_store_address(R"({"version": 2})").error().code, ErrorCode::Unsupported);
}

// Found by the fuzz target: the conversion of such a number to an int is undefined.
TEST(StoreAddress, NumbersBeyondAllBoundsAreCorrupt) {
  const std::string huge = "180005555555555555555555555555555555555555555";
  for (const std::string& text :
       {"{\"version\": " + huge + "}", std::string(R"({"version": 1.5})"), std::string(R"({"version": "1"})"),
        R"({"version": 1, "launch": "l", "ranks": )" + huge + R"(, "hosts": ["h"], "port": 1, "token": "t"})",
        std::string(
            R"({"version": 1, "launch": "l", "ranks": 2.5, "hosts": ["h"], "port": 1, "token": "t"})")})
    EXPECT_EQ(parse_store_address(text).error().code, ErrorCode::Corrupt) << text;
}

// 70000 is 4464 in 16 bits.
TEST(StoreAddress, APortThatIsNoneIsCorrupt) {
  for (const char* port : {"0", "-1", "65536", "70000", "1e30", "80.5"})
    EXPECT_EQ(parse_store_address(fmt::format(R"({{"version": 1, "launch": "l", "ranks": 4, "hosts": ["h"],
                                                   "port": {}, "token": "t"}})",
                                              port))
                  .error()
                  .code,
              ErrorCode::Corrupt)
        << port;
}

TEST(StoreAddress, ATornOneIsCorrupt) {
  const std::string whole = to_json({"l", 2, {"127.0.0.1"}, 1, "t"});
  for (size_t length = 0; length + 2 < whole.size(); ++length)
    EXPECT_EQ(parse_store_address(whole.substr(0, length)).error().code, ErrorCode::Corrupt) << length;
}

}  // namespace
}  // namespace zt::contract
