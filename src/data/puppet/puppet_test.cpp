// SPDX-License-Identifier: Apache-2.0
#include "data/puppet/puppet.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace zt::data {
namespace {

double distance(const std::array<double, 2>& a, const std::array<double, 2>& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1]);
}

TEST(Puppet, RepeatsAfterItsPeriod) {
  const Puppet puppet({}, 3, 5);

  EXPECT_EQ(puppet.render(2).picture, puppet.render(18).picture);
  EXPECT_EQ(puppet.keypoints(-1), puppet.keypoints(15));
  EXPECT_NE(puppet.render(2).picture, puppet.render(3).picture);
}

TEST(Puppet, IsGivenByItsNumbersAndSeed) {
  PuppetOptions other_seed;
  other_seed.seed = 1;

  const image::Image picture = Puppet({}, 3, 5).render(0).picture;

  EXPECT_EQ(picture, Puppet({}, 3, 5).render(0).picture);
  EXPECT_NE(picture, Puppet(other_seed, 3, 5).render(0).picture);
  EXPECT_NE(picture, Puppet({}, 4, 5).render(0).picture);
  EXPECT_NE(picture, Puppet({}, 3, 6).render(0).picture);
}

// Identity must not be readable from the pose: the look depends on the character alone.
TEST(Puppet, KeepsItsLookInEveryMotion) {
  for (uint64_t motion = 0; motion < 4; ++motion)
    EXPECT_EQ(Puppet({}, 7, motion).background(), Puppet({}, 7, 0).background());
}

TEST(Puppet, LeavesTheBackgroundUntouchedOutsideItsMask) {
  for (uint64_t number = 0; number < 8; ++number) {
    const Puppet puppet({}, number, number);
    const image::Image background = puppet.background();
    const PuppetFrame frame = puppet.render(4);
    for (int y = 0; y < background.height; ++y) {
      for (int x = 0; x < background.width; ++x) {
        if (*frame.mask.at(x, y) > 0) continue;
        for (int c = 0; c < 3; ++c) ASSERT_EQ(frame.picture.at(x, y)[c], background.at(x, y)[c]);
        ASSERT_EQ(*frame.labels.at(x, y), 0);
      }
    }
  }
}

TEST(Puppet, CoversAboutAQuarterOfThePicture) {
  double covered = 0;
  constexpr int kPuppets = 50;
  for (uint64_t number = 0; number < kPuppets; ++number)
    for (const uint8_t value : Puppet({}, number, number).render(0).mask.pixels) covered += value / 255.0;

  EXPECT_NEAR(covered / (kPuppets * 64 * 64), 0.24, 0.03);
}

TEST(Puppet, ShowsEveryPart) {
  std::set<int> seen;
  for (uint64_t number = 0; number < 8; ++number)
    for (const uint8_t label : Puppet({}, number, number).render(0).labels.pixels) seen.insert(label);

  EXPECT_EQ(seen.size(), size_t{kNumPartLabels});
  EXPECT_EQ(*seen.rbegin(), kNumPartLabels - 1);
}

TEST(Puppet, PutsKeypointsOnTheParts) {
  const Puppet puppet({}, 1, 1);
  const PuppetFrame frame = puppet.render(0);
  const Person person = puppet.keypoints(0).people.at(0);

  const auto label_at = [&](BodyPart part) {
    const Keypoint& point = person.at(part);
    return static_cast<PartLabel>(
        *frame.labels.at(static_cast<int>(point.x * 64), static_cast<int>(point.y * 64)));
  };

  EXPECT_EQ(label_at(BodyPart::Nose), PartLabel::Head);
  EXPECT_EQ(label_at(BodyPart::RAnkle), PartLabel::Shoes);
  EXPECT_EQ(label_at(BodyPart::LAnkle), PartLabel::Shoes);
  // The person faces us: its right is the picture's left.
  EXPECT_LT(person.at(BodyPart::RShoulder).x, person.at(BodyPart::LShoulder).x);
}

TEST(Puppet, TailKeepsItsLength) {
  const Puppet puppet({}, 2, 2);
  const auto length_of = [&](int64_t frame) {
    const auto points = puppet.tail(frame);
    double sum = 0;
    for (size_t i = 1; i < points.size(); ++i) sum += distance(points[i - 1], points[i]);
    return sum;
  };

  for (int64_t frame = 0; frame < 16; ++frame)
    EXPECT_NEAR(length_of(frame), length_of(0), 0.05 * length_of(0));
}

// The swing is periodic too: the step over the loop's seam is no larger than the steps inside it.
TEST(Puppet, TailLoopsWithoutAJump) {
  for (uint64_t number = 0; number < 8; ++number) {
    const Puppet puppet({}, number, number);
    double largest_inside = 0;
    for (int64_t frame = 1; frame < 16; ++frame)
      largest_inside =
          std::max(largest_inside, distance(puppet.tail(frame - 1).back(), puppet.tail(frame).back()));

    EXPECT_LT(distance(puppet.tail(15).back(), puppet.tail(16).back()), 1.2 * largest_inside);
  }
}

// What a model that sees one pose can't know: with the neck in the same place the tail hangs elsewhere.
TEST(Puppet, TailHangsByThePastAndNotByThePlace) {
  double difference = 0;
  int pairs = 0;
  for (uint64_t number = 0; number < 60; ++number) {
    const Puppet puppet({}, number, number);
    for (int64_t i = 0; i < 16; ++i) {
      for (int64_t j = i + 2; j < 16; ++j) {
        const auto a = puppet.tail(i), b = puppet.tail(j);
        if (std::abs(a.front()[0] - b.front()[0]) > 0.5) continue;
        difference += std::abs((a.back()[0] - a.front()[0]) - (b.back()[0] - b.front()[0]));
        ++pairs;
      }
    }
  }

  ASSERT_GT(pairs, 100);
  EXPECT_GT(difference / pairs, 3.0);
}

TEST(Puppet, FillsPicturesOfAnyShape) {
  PuppetOptions options;
  options.width = 48;
  options.height = 96;
  options.tail = false;
  const Puppet puppet(options, 0, 0);

  const PuppetFrame frame = puppet.render(0);

  EXPECT_EQ(frame.picture.width, 48);
  EXPECT_EQ(frame.labels.height, 96);
  EXPECT_TRUE(puppet.tail(0).empty());
}

}  // namespace
}  // namespace zt::data
