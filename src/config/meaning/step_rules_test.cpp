// SPDX-License-Identifier: Apache-2.0
#include "config/meaning/step_rules.hpp"

#include <gtest/gtest.h>

namespace zt::config {
namespace {

TEST(StepRules, NamesTheRuleThatCantBeRead) {
  for (const char* text : {"", "1:10", "1:10,", "x:10,1", "1:y,1", "1,2,3", "nan:10,1", "1:10,inf"}) {
    const auto rules = parse_step_rules(text);
    ASSERT_FALSE(rules) << text;
    EXPECT_EQ(rules.error().code, ErrorCode::InvalidConfig);
  }
  EXPECT_NE(parse_step_rules("1:10,0.1:abc,1").error().message.find("0.1:abc"), std::string::npos);
}

TEST(StepRules, AreSortedByTheirStep) {
  const auto rules = parse_step_rules("0.1:20,1:10,0.01");
  ASSERT_TRUE(rules);
  ASSERT_EQ(rules->rules.size(), 2U);
  EXPECT_EQ(rules->rules[0].until_step, 10);
  EXPECT_EQ(rules->rules[0].factor, 1);
  EXPECT_EQ(rules->final_factor, 0.01);
}

}  // namespace
}  // namespace zt::config
