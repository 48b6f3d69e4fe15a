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

// Calls visit(begin, end) for each run of pictures in which `part` is present.
template <class Visit>
void for_each_sighting(const PersonTrack& track, size_t part, const Visit& visit) {
  size_t begin = 0;
  while (begin < track.size()) {
    if (!track[begin].body[part].present()) {
      ++begin;
      continue;
    }
    size_t end = begin;
    while (end < track.size() && track[end].body[part].present()) ++end;
    visit(begin, end);
    begin = end;
  }
}

// The straight line from picture `from` to picture `to`, both present, nothing between.
void fill_between(PersonTrack& track, size_t part, size_t from, size_t to) {
  const Keypoint a = track[from].body[part], b = track[to].body[part];
  for (size_t i = from + 1; i < to; ++i) {
    const float t = static_cast<float>(i - from) / static_cast<float>(to - from);
    track[i].body[part] = {a.x + t * (b.x - a.x), a.y + t * (b.y - a.y),
                           std::min(a.confidence, b.confidence)};
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

void smooth_sighting(PersonTrack& track, size_t part, size_t begin, size_t end, float amount) {
  std::vector<Keypoint> seen;
  for (size_t i = begin; i < end; ++i) seen.push_back(track[i].body[part]);
  for (size_t i = 2; i + 2 < seen.size(); ++i) {
    const bool has_three = i >= 3 && i + 3 < seen.size();
    const Keypoint fit = has_three ? fitted(seen, i, kFit7) : fitted(seen, i, kFit5);
    Keypoint& point = track[begin + i].body[part];
    point.x += amount * (fit.x - point.x);
    point.y += amount * (fit.y - point.y);
  }
}

}  // namespace

void drop_unsure(PersonTrack& track, double min_confidence) {
  for (Person& person : track) {
    for (Keypoint& point : person.body) {
      if (static_cast<double>(point.confidence) < min_confidence) point = {};
    }
  }
}

void fill_gaps(PersonTrack& track, int64_t max_gap_frames) {
  for (size_t part = 0; part < kNumBody; ++part) {
    std::vector<std::array<size_t, 2>> sightings;
    for_each_sighting(track, part, [&](size_t begin, size_t end) { sightings.push_back({begin, end}); });
    for (size_t i = 1; i < sightings.size(); ++i) {
      const size_t from = sightings[i - 1][1] - 1, to = sightings[i][0];
      if (static_cast<int64_t>(to - from) - 1 <= max_gap_frames) fill_between(track, part, from, to);
    }
  }
}

void smooth(PersonTrack& track, double amount) {
  for (size_t part = 0; part < kNumBody; ++part) {
    for_each_sighting(track, part, [&](size_t begin, size_t end) {
      smooth_sighting(track, part, begin, end, static_cast<float>(amount));
    });
  }
}

}  // namespace zt::data
