// SPDX-License-Identifier: Apache-2.0
// Expected values: printed t tables and by hand.
#include "quality/statistics.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace zt::quality {
namespace {

TEST(Statistics, StudentBoundsAreThoseOfTheTables) {
  EXPECT_NEAR(student_t_bound(0.95, 1), 12.706, 5e-4);
  EXPECT_NEAR(student_t_bound(0.95, 2), 4.303, 5e-4);
  EXPECT_NEAR(student_t_bound(0.95, 15), 2.131, 5e-4);
  EXPECT_NEAR(student_t_bound(0.99, 10), 3.169, 5e-4);
  EXPECT_NEAR(student_t_bound(0.95, 1'000'000), 1.95996, 1e-4);
}

TEST(Statistics, PairedIntervalIsTheHandComputedOne) {
  // Differences 1, 2, 3: mean 2, standard error 1 / sqrt(3), t(2) = 4.30265.
  const std::array a{2.0, 4.0, 6.0}, b{1.0, 2.0, 3.0};

  const Interval interval = paired_t(a, b);

  EXPECT_NEAR(interval.mean, 2, 1e-12);
  EXPECT_NEAR(interval.low, 2 - 4.30265 / std::sqrt(3.0), 1e-4);
  EXPECT_NEAR(interval.high, 2 + 4.30265 / std::sqrt(3.0), 1e-4);
  EXPECT_EQ(interval.count, 3);
}

TEST(Statistics, FewValuesGiveNoFalseCertainty) {
  EXPECT_TRUE(std::isnan(mean_interval({}).mean));
  EXPECT_TRUE(std::isinf(mean_interval(std::array{3.0}).high));
  EXPECT_LT(mean_interval(std::array{3.0}).low, 0);
  EXPECT_THROW(paired_t(std::array{1.0}, std::array{1.0, 2.0}), std::invalid_argument);
}

TEST(Statistics, BootstrapAgreesWithTOnManyPairsAndRepeats) {
  std::vector<double> a, b(200, 0.0);
  for (int i = 0; i < 200; ++i) a.push_back(1 + std::sin(i * 1.7));

  const Interval t = paired_t(a, b), bootstrap = paired_bootstrap(a, b, 4000, 5);

  EXPECT_NEAR(bootstrap.mean, t.mean, 1e-12);
  EXPECT_NEAR(bootstrap.low, t.low, 0.02);
  EXPECT_NEAR(bootstrap.high, t.high, 0.02);
  EXPECT_EQ(paired_bootstrap(a, b, 4000, 5).low, bootstrap.low);
  EXPECT_GT(bootstrap.low, 0);
}

}  // namespace
}  // namespace zt::quality
