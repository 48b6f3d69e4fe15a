// SPDX-License-Identifier: Apache-2.0
// People out of .golden files: N x 128 x 3 (x, y, confidence) in the order body, left hand, right hand, face.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "data/keypoints/keypoints.hpp"
#include "support/golden.hpp"

namespace zt::test {

inline constexpr size_t kNumPoints = data::kNumBody + 2 * data::kNumHand + data::kNumFace;

/// All points of a person in the golden order; hands and face must be there.
inline std::vector<data::Keypoint> points_of(const data::Person& person) {
  std::vector<data::Keypoint> points(person.body.begin(), person.body.end());
  for (const auto* part : {&person.left_hand, &person.right_hand, &person.face})
    points.insert(points.end(), part->begin(), part->end());
  return points;
}

inline std::vector<data::Person> golden_people(const Golden& golden, const std::string& name) {
  const auto values = golden.values<float>(name);
  std::vector<data::Person> people;
  for (size_t start = 0; start < values.size(); start += 3 * kNumPoints) {
    std::vector<data::Keypoint> points;
    for (size_t i = start; i < start + 3 * kNumPoints; i += 3)
      points.push_back({values[i], values[i + 1], values[i + 2]});
    data::Person person;
    auto next = points.begin();
    const auto take = [&](size_t count) {
      const auto from = next;
      next += static_cast<std::ptrdiff_t>(count);
      return std::vector<data::Keypoint>(from, next);
    };
    const auto body = take(data::kNumBody);
    std::copy(body.begin(), body.end(), person.body.begin());
    person.left_hand = take(data::kNumHand);
    person.right_hand = take(data::kNumHand);
    person.face = take(data::kNumFace);
    people.push_back(std::move(person));
  }
  return people;
}

}  // namespace zt::test
