// SPDX-License-Identifier: Apache-2.0
#include "contract/left_out.hpp"

#include <gtest/gtest.h>

namespace zt::contract {
namespace {

TEST(LeftOut, ComesBackAsItWasWritten) {
  const auto read = parse_left_out(to_json({{7, "rank 1 ended"}, {0, "the worker \"hung\"\n"}}));

  ASSERT_TRUE(read);
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ((*read)[0].clip, 7);
  EXPECT_EQ((*read)[1].why, "the worker \"hung\"\n");
}

TEST(LeftOut, AnythingElseIsRefused) {
  for (const char* text : {"", "[]", "{\"version\":1}", "{\"version\":1,\"clips\":[3]}",
                           "{\"version\":1,\"clips\":[{\"clip\":\"x\",\"why\":\"\"}]}"}) {
    const auto read = parse_left_out(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::Corrupt) << text;
  }
  EXPECT_EQ(parse_left_out("{\"version\":2,\"clips\":[]}").error().code, ErrorCode::Unsupported);
}

}  // namespace
}  // namespace zt::contract
