// SPDX-License-Identifier: Apache-2.0
#include "train/state/cursor.hpp"

#include <gtest/gtest.h>

namespace zt::train {
namespace {

Cursor used_cursor() {
  Cursor cursor(1000);
  cursor.step = 12;
  cursor.next_sample = 96;
  cursor.elapsed_s = 3.25;
  cursor.best_loss = 0.5;
  cursor.early_decay = optim::EarlyDecay{10, 20};
  cursor.decay_cap_s = 60;
  cursor.losses.add(5, 0.25);
  cursor.losses.add(999, 2.0);
  cursor.loss.add(0, 1.5);
  cursor.clips = {.suspects = {7}, .left_out = {3, 12}};
  return cursor;
}

TEST(Cursor, ComesBackFromItsScalars) {
  const Cursor cursor = used_cursor();
  const Result<Cursor> back = cursor_from_scalars(to_scalars(cursor), 1000);

  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->step, 12);
  EXPECT_EQ(back->next_sample, 96U);
  EXPECT_EQ(back->elapsed_s, 3.25);
  EXPECT_EQ(back->best_loss, 0.5);
  ASSERT_TRUE(back->early_decay);
  EXPECT_EQ(back->early_decay->end, 20);
  EXPECT_EQ(back->decay_cap_s, 60);
  EXPECT_EQ(back->losses.average(0), cursor.losses.average(0));
  EXPECT_EQ(back->losses.average(9), cursor.losses.average(9));
  EXPECT_FALSE(back->losses.average(4));
  EXPECT_EQ(back->loss.average(0), cursor.loss.average(0));
  EXPECT_EQ(back->clips.suspects, std::set<int64_t>{7});
  EXPECT_EQ(back->clips.left_out, (std::set<int64_t>{3, 12}));
}

TEST(Cursor, NamesTheScalarThatIsMissing) {
  auto scalars = to_scalars(used_cursor());
  std::erase_if(scalars, [](const params::StateScalar& s) { return s.name == "train.next_sample"; });
  const Result<Cursor> back = cursor_from_scalars(scalars, 1000);

  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, ErrorCode::Corrupt);
  EXPECT_NE(back.error().message.find("train.next_sample"), std::string::npos);
}

TEST(Cursor, KeepsADecayForTheCapItWasPlannedForOnly) {
  Cursor same = used_cursor(), longer = used_cursor(), without = used_cursor();
  drop_decay_of_other_cap(same, 60);
  drop_decay_of_other_cap(longer, 90);
  drop_decay_of_other_cap(without, 0);

  EXPECT_TRUE(same.early_decay);
  EXPECT_FALSE(longer.early_decay);
  EXPECT_FALSE(without.early_decay);
  EXPECT_EQ(longer.decay_cap_s, 0);
}

TEST(Cursor, RefusesNegativeCounts) {
  auto scalars = to_scalars(used_cursor());
  scalars.front().value = int64_t{-1};

  EXPECT_FALSE(cursor_from_scalars(scalars, 1000));
}

}  // namespace
}  // namespace zt::train
