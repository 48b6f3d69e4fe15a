// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs/quickstart/quickstart_page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contract/events.hpp"
#include "support/temp_folder.hpp"

namespace zt::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(QuickstartPage, SaysWhereATimeCapMovedTheEnd) {
  const test::TempFolder runs;
  const auto run = contract::RunFolder::create({.runs_folder = runs.path(), .name = "a"}).value();
  auto events = contract::EventWriter::create(run.events(), 1, "rank-0").value();
  ASSERT_TRUE(events.write(contract::AttemptStarted{}));
  EXPECT_EQ(cut_short("Stage 1", run), "");

  ASSERT_TRUE(
      events.write(contract::ScheduleChanged{30, 484, "the time cap ends the run at step 484 of <1350>"}));

  EXPECT_THAT(cut_short("Stage 1", run),
              AllOf(HasSubstr("Stage 1 was cut short"), HasSubstr("step 484 of &lt;1350&gt;")));
}

}  // namespace
}  // namespace zt::cli
