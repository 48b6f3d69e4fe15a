// SPDX-License-Identifier: Apache-2.0
#include "data/pose/blazepose/region_tracks.hpp"

#include <gtest/gtest.h>

namespace zt::data {
namespace {

Region at(double x, double side = 100) { return {{x, 200}, side, 0}; }

// Tracks in their first picture, with two people in them.
RegionTracks two_people(const TrackingOptions& options = {}) {
  RegionTracks tracks(options);
  tracks.begin_frame();
  tracks.note_detection();
  tracks.add(at(100));
  tracks.add(at(300));
  return tracks;
}

TEST(RegionTracks, NumbersPeopleInTheOrderOfTheirComing) {
  const RegionTracks tracks = two_people();

  ASSERT_EQ(tracks.active().size(), 2U);
  EXPECT_EQ(tracks.active()[0].id, 0);
  EXPECT_EQ(tracks.active()[1].id, 1);
}

TEST(RegionTracks, LooksForPeopleWhileThereAreNone) {
  RegionTracks tracks({});
  for (int frame = 0; frame < 3; ++frame) {
    tracks.begin_frame();
    EXPECT_TRUE(tracks.should_detect());
    tracks.note_detection();
  }
}

TEST(RegionTracks, LooksForNewcomersAtIntervalsAndWhenSomebodyGetsLost) {
  RegionTracks tracks = two_people({.detect_every_frames = 3});
  tracks.begin_frame();
  EXPECT_FALSE(tracks.should_detect());
  tracks.lose(0);
  EXPECT_TRUE(tracks.should_detect());
  tracks.begin_frame();
  EXPECT_FALSE(tracks.should_detect());
  tracks.begin_frame();
  EXPECT_TRUE(tracks.should_detect());
}

TEST(RegionTracks, NeverLooksWhenItFollowsAsManyAsItMay) {
  RegionTracks tracks = two_people({.max_tracks = 2, .detect_every_frames = 1});
  tracks.begin_frame();

  EXPECT_TRUE(tracks.is_full());
  EXPECT_FALSE(tracks.should_detect());
}

TEST(RegionTracks, SearchesPartsOnlyWithoutAnybodyOrWhenAskedTo) {
  RegionTracks nobody({.detect_every_frames = 5});
  nobody.begin_frame();
  EXPECT_TRUE(nobody.should_search_parts(0));
  EXPECT_FALSE(nobody.should_search_parts(1));
  nobody.note_part_search();
  nobody.begin_frame();
  EXPECT_FALSE(nobody.should_search_parts(0));

  EXPECT_FALSE(two_people().should_search_parts(0));
  EXPECT_TRUE(two_people({.search_small = true}).should_search_parts(2));
}

TEST(RegionTracks, GivesSomebodyFoundAgainTheOldNumber) {
  RegionTracks tracks = two_people();
  tracks.begin_frame();
  tracks.lose(1);
  tracks.begin_frame();

  EXPECT_EQ(tracks.add(at(320)), 1);
  EXPECT_EQ(tracks.add(at(500)), 2);
}

TEST(RegionTracks, ForgetsSomebodyWhoWasLostTooLongAgo) {
  RegionTracks tracks = two_people({.remember_frames = 2});
  tracks.lose(1);
  for (int frame = 0; frame < 3; ++frame) tracks.begin_frame();

  EXPECT_EQ(tracks.add(at(300)), 2);
}

TEST(RegionTracks, TellsPeopleApartByPlaceAndSize) {
  const RegionTracks tracks = two_people();

  EXPECT_TRUE(tracks.is_followed(at(110)));
  EXPECT_FALSE(tracks.is_followed(at(130)));
  EXPECT_FALSE(tracks.is_followed(at(100, 250)));
}

TEST(RegionTracks, KeepsTheOldestOfTracksThatMet) {
  RegionTracks tracks = two_people();
  tracks.begin_frame();
  tracks.move(0, at(205));
  tracks.move(1, at(200));

  EXPECT_EQ(tracks.drop_doubles(), std::vector<int64_t>{1});
  EXPECT_EQ(tracks.active().size(), 1U);
}

TEST(RegionTracks, LosesEverybodyAtACut) {
  RegionTracks tracks = two_people();
  tracks.begin_frame();
  tracks.lose_all();

  EXPECT_TRUE(tracks.active().empty());
  EXPECT_TRUE(tracks.should_detect());
}

}  // namespace
}  // namespace zt::data
