// SPDX-License-Identifier: Apache-2.0
#include "data/pose/clean_track.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace zt::data {
namespace {

// Weights of the local quadratic fit's value at the middle: Savitzky and Golay 1964, table I.
constexpr std::array<double, 5> kFit5 = {-3 / 35.0, 12 / 35.0, 17 / 35.0, 12 / 35.0, -3 / 35.0};
constexpr std::array<double, 7> kFit7 = {-2 / 21.0, 3 / 21.0, 6 / 21.0, 7 / 21.0,
                                         6 / 21.0,  3 / 21.0, -2 / 21.0};

using Points = std::vector<Keypoint> Person::*;
constexpr std::array<Points, 3> kParts = {&Person::left_hand, &Person::right_hand, &Person::face};

// One point of a person, picture by picture.
using Path = std::vector<Keypoint*>;

// The paths of all points of a track whose parts are complete.
std::vector<Path> paths_of(PersonTrack& track) {
  std::vector<Path> paths;
  if (track.empty()) return paths;
  const auto add = [&](size_t count, const auto& point_of) {
    for (size_t k = 0; k < count; ++k) {
      Path& path = paths.emplace_back();
      for (Person& person : track) path.push_back(&point_of(person, k));
    }
  };
  add(kNumBody, [](Person& person, size_t k) -> Keypoint& { return person.body[k]; });
  for (const Points part : kParts) {
    add((track.front().*part).size(),
        [&](Person& person, size_t k) -> Keypoint& { return (person.*part)[k]; });
  }
  return paths;
}

// The runs of pictures, [begin, end), in which the point is present.
std::vector<std::array<size_t, 2>> sightings_of(const Path& path) {
  std::vector<std::array<size_t, 2>> sightings;
  for (size_t i = 0; i < path.size(); ++i) {
    if (!path[i]->present()) continue;
    if (i > 0 && path[i - 1]->present()) {
      sightings.back()[1] = i + 1;
    } else {
      sightings.push_back({i, i + 1});
    }
  }
  return sightings;
}

// The straight line from picture `from` to picture `to`, both present, nothing between.
void fill_between(const Path& path, size_t from, size_t to) {
  const Keypoint a = *path[from], b = *path[to];
  for (size_t i = from + 1; i < to; ++i) {
    const float t = static_cast<float>(i - from) / static_cast<float>(to - from);
    *path[i] = {a.x + t * (b.x - a.x), a.y + t * (b.y - a.y), std::min(a.confidence, b.confidence)};
  }
}

// The fit's value around picture `middle` of a sighting.
Keypoint fitted(std::span<const Keypoint> sighting, size_t middle, std::span<const double> weights) {
  double x = 0, y = 0;
  const size_t first = middle - weights.size() / 2;
  for (size_t k = 0; k < weights.size(); ++k) {
    x += weights[k] * static_cast<double>(sighting[first + k].x);
    y += weights[k] * static_cast<double>(sighting[first + k].y);
  }
  return {static_cast<float>(x), static_cast<float>(y), sighting[middle].confidence};
}

void smooth_sighting(std::span<Keypoint* const> sighting, float amount) {
  std::vector<Keypoint> seen;
  for (const Keypoint* point : sighting) seen.push_back(*point);
  for (size_t i = 2; i + 2 < seen.size(); ++i) {
    const bool has_three = i >= 3 && i + 3 < seen.size();
    const Keypoint fit = has_three ? fitted(seen, i, kFit7) : fitted(seen, i, kFit5);
    sighting[i]->x += amount * (fit.x - sighting[i]->x);
    sighting[i]->y += amount * (fit.y - sighting[i]->y);
  }
}

}  // namespace

void complete_parts(PersonTrack& track) {
  for (const Points part : kParts) {
    size_t size = 0;
    for (const Person& person : track) size = std::max(size, (person.*part).size());
    for (Person& person : track) (person.*part).resize(size);
  }
}

void drop_unsure(Person& person, double min_confidence) {
  const auto drop = [&](auto& points) {
    for (Keypoint& point : points) {
      if (static_cast<double>(point.confidence) < min_confidence) point = {};
    }
  };
  drop(person.body);
  for (const Points part : kParts) drop(person.*part);
}

void fill_gaps(PersonTrack& track, int64_t max_gap_frames) {
  for (const Path& path : paths_of(track)) {
    const auto sightings = sightings_of(path);
    for (size_t i = 1; i < sightings.size(); ++i) {
      const size_t from = sightings[i - 1][1] - 1, to = sightings[i][0];
      if (static_cast<int64_t>(to - from) - 1 <= max_gap_frames) fill_between(path, from, to);
    }
  }
}

void smooth(PersonTrack& track, double amount) {
  for (const Path& path : paths_of(track)) {
    for (const auto [begin, end] : sightings_of(path)) {
      smooth_sighting(std::span(path).subspan(begin, end - begin), static_cast<float>(amount));
    }
  }
}

}  // namespace zt::data
