// SPDX-License-Identifier: Apache-2.0
// Learning rates against diffusers' own (tests/parity/l_lr_schedules: base 1e-3, warm-up 5, total 40), and
// against DeepSpeed's.
#include "optim/lr_schedule.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

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

struct DeepspeedCase {
  const char* name;
  LrScheduler curve;
  config::WarmupCurve warmup;
  std::vector<double> rates;  ///< of optimizer steps 0, 1, ...
};

class DeepspeedCurve : public ::testing::TestWithParam<DeepspeedCase> {};

// What DeepSpeed 0.19.8's classes set on an optimizer before each of its steps, printed to ten digits:
// learning rate 1e-3, 5 warm-up steps from 1e-4, 12 steps in all, cos_min_ratio 0.05.
TEST_P(DeepspeedCurve, GivesDeepspeedsRates) {
  const LrSchedule schedule{.curve = GetParam().curve,
                            .base_lr = 1e-3,
                            .warmup_steps = 5,
                            .warmup_curve = GetParam().warmup,
                            .warmup_start = 0.1,
                            .total_steps = 12,
                            .floor = 0.05};

  for (size_t step = 0; step < GetParam().rates.size(); ++step)
    EXPECT_NEAR(learning_rate(schedule, static_cast<int64_t>(step)), GetParam().rates[step], 1e-12)
        << "step " << step;
}

INSTANTIATE_TEST_SUITE_P(
    All, DeepspeedCurve,
    ::testing::Values(
        DeepspeedCase{"WarmupLinear",
                      LrScheduler::DeepspeedWarmup,
                      config::WarmupCurve::Linear,
                      {1e-4, 1e-4, 2.8e-4, 4.6e-4, 6.4e-4, 8.2e-4, 1e-3, 1e-3}},
        DeepspeedCase{"WarmupLog",
                      LrScheduler::DeepspeedWarmup,
                      config::WarmupCurve::Log,
                      {1e-4, 1e-4, 0.0004876089023, 0.000714345575, 0.0008752178045, 1e-3, 1e-3}},
        DeepspeedCase{"DecayLinear",
                      LrScheduler::DeepspeedWarmupDecay,
                      config::WarmupCurve::Linear,
                      {1e-4, 1e-4, 2.8e-4, 4.6e-4, 6.4e-4, 8.2e-4, 1e-3, 0.0008714285714, 0.0007428571429,
                       0.0006142857143, 0.0004857142857, 0.0003571428571, 0.0002285714286, 1e-4, 1e-4}},
        DeepspeedCase{"CosineLog",
                      LrScheduler::DeepspeedWarmupCosine,
                      config::WarmupCurve::Log,
                      {0, 1e-4, 0.0004876089023, 0.000714345575, 0.0008752178045, 1e-3, 0.0009529602123,
                       0.0008211576559, 0.0006306974436, 0.0004193025564, 0.0002288423441, 9.703978775e-05,
                       5e-05, 5e-05}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(LrSchedule, DeepspeedsWarmUpTakesTwoStepsAtLeast) {
  const LrSchedule schedule{.curve = LrScheduler::DeepspeedWarmup,
                            .base_lr = 1,
                            .warmup_steps = 0,
                            .warmup_curve = config::WarmupCurve::Linear};

  EXPECT_DOUBLE_EQ(learning_rate(schedule, 1), 0);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 2), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate(schedule, 3), 1);
}

TEST(LrSchedule, PiecewiseRulesHoldBeforeTheirStep) {
  const auto rules = config::parse_step_rules("1:10,0.1:20,0.01:30,0.005");
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

  job.lr_scheduler = LrScheduler::Linear;
  job.lr_warmup_steps = 0;
  job.lr_total_steps = 20;
  EXPECT_DOUBLE_EQ(learning_rate(*lr_schedule(job, 4, 10), 10), 2) << "half of the planned steps";

  job.lr_scheduler = LrScheduler::PiecewiseConstant;
  job.lr_step_rules = "nonsense";
  EXPECT_FALSE(lr_schedule(job, 4, 10));
}

}  // namespace
}  // namespace zt::optim
