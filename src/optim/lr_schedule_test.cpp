// SPDX-License-Identifier: Apache-2.0
// Learning rates against diffusers' own (tests/parity/l_lr_schedules: base 1e-3, warm-up 5, total 40).
#include "optim/lr_schedule.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/parity.hpp"

namespace zt::optim {
namespace {

using config::LrScheduler;

class DiffusersCurve : public ::testing::TestWithParam<LrScheduler> {};

TEST_P(DiffusersCurve, GivesDiffusersRates) {
  const test::ParityFile parity("l_lr_schedules");
  const at::Tensor wanted = parity[std::string(config::name(GetParam()))];
  LrSchedule schedule{.curve = GetParam(), .base_lr = 1e-3, .warmup_steps = 5, .total_steps = 40};

  for (int64_t step = 0; step < wanted.numel(); ++step)
    EXPECT_NEAR(learning_rate(schedule, step), wanted[step].item<double>(), 1e-9) << "step " << step;
}

INSTANTIATE_TEST_SUITE_P(All, DiffusersCurve,
                         ::testing::Values(LrScheduler::Constant, LrScheduler::ConstantWithWarmup,
                                           LrScheduler::Linear, LrScheduler::Cosine,
                                           LrScheduler::CosineWithRestarts, LrScheduler::Polynomial),
                         [](const auto& test) { return std::string(config::name(test.param)); });

TEST(LrSchedule, PiecewiseRulesHoldBeforeTheirStep) {
  const auto rules = parse_step_rules("1:10,0.1:20,0.01:30,0.005");
  ASSERT_TRUE(rules);
  const LrSchedule schedule{.curve = LrScheduler::PiecewiseConstant,
                            .base_lr = 2,
                            .rules = rules->rules,
                            .final_factor = rules->final_factor};

  EXPECT_DOUBLE_EQ(learning_rate(schedule, 9), 2);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 10), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 29), 0.02);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 30), 0.01);
}

TEST(LrSchedule, NamesTheRuleThatCantBeRead) {
  for (const char* text : {"", "1:10", "1:10,", "x:10,1", "1:y,1", "1,2,3"}) {
    const auto rules = parse_step_rules(text);
    ASSERT_FALSE(rules) << text;
    EXPECT_EQ(rules.error().code, ErrorCode::InvalidConfig);
  }
  EXPECT_NE(parse_step_rules("1:10,0.1:abc,1").error().message.find("0.1:abc"), std::string::npos);
}

TEST(LrSchedule, FlatCosineWarmsUpHoldsAndFalls) {
  const LrSchedule s{.curve = LrScheduler::FlatCosine,
                     .base_lr = 1,
                     .warmup_steps = 4,
                     .total_steps = 100,
                     .flat_fraction = 0.5,
                     .floor = 0.1};

  EXPECT_DOUBLE_EQ(learning_rate(s, 0), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate(s, 3), 1);
  EXPECT_DOUBLE_EQ(learning_rate(s, 50), 1);
  EXPECT_DOUBLE_EQ(learning_rate(s, 75), 0.55);  // the middle of the cosine
  EXPECT_NEAR(learning_rate(s, 100), 0.1, 1e-15);
  EXPECT_NEAR(learning_rate(s, 1000), 0.1, 1e-15);
}

TEST(LrSchedule, EarlyDecayFallsFromTheRateItMeets) {
  const LrSchedule s{.curve = LrScheduler::Linear, .base_lr = 1, .total_steps = 100, .floor = 0.02};
  const EarlyDecay early{.start = 20, .end = 40};

  EXPECT_DOUBLE_EQ(learning_rate(s, 20, early), 0.8);
  EXPECT_DOUBLE_EQ(learning_rate(s, 30, early), 0.02 + 0.78 / 2);
  EXPECT_NEAR(learning_rate(s, 40, early), 0.02, 1e-15);
  EXPECT_NEAR(learning_rate(s, 60, early), 0.02, 1e-15);
}

TEST(LrSchedule, FollowsTheJob) {
  config::OptimJob job;
  job.lr_scheduler = LrScheduler::PiecewiseConstant;
  job.lr_step_rules = "1:2,0.5";

  const auto schedule = lr_schedule(job, 4, 10);
  ASSERT_TRUE(schedule);
  EXPECT_DOUBLE_EQ(learning_rate(*schedule, 1), 4);
  EXPECT_DOUBLE_EQ(learning_rate(*schedule, 2), 2);

  job.lr_step_rules = "nonsense";
  EXPECT_FALSE(lr_schedule(job, 4, 10));
}

}  // namespace
}  // namespace zt::optim
