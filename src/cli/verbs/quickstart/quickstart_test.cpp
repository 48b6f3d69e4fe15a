// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/quickstart/quickstart.hpp"

#include <gtest/gtest.h>

namespace zt::cli {
namespace {

TEST(Quickstart, ASlowMachineTrainsForLessSoThatTheWholeTakesNoLonger) {
  constexpr double kCap_s = 465, kStage2_s = 80, kRestPerData = 1.3;
  for (const double data_s : {10.0, 22.0, 44.0, 88.0}) {
    const double whole_s = data_s + stage1_cap(kCap_s, data_s) + kStage2_s + kRestPerData * data_s;
    EXPECT_LE(whole_s, 600) << data_s;
  }
  EXPECT_EQ(stage1_cap(kCap_s, 10), kCap_s) << "a fast machine";
  EXPECT_EQ(stage1_cap(kCap_s, 1000), kCap_s / 2) << "less teaches nothing";
  EXPECT_EQ(stage1_cap(0, 1000), 0) << "a recipe without a cap";
}

}  // namespace
}  // namespace zt::cli
