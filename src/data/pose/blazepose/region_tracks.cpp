// SPDX-License-Identifier: Apache-2.0
#include "data/pose/blazepose/region_tracks.hpp"

#include <algorithm>
#include <cmath>

namespace zt::data {
namespace {

// Shares of the smaller region's side, which is about 1.3 body heights: hip centres nearer than this are one
// person's.
constexpr double kSamePersonNow = 0.12;
constexpr double kSamePersonLater = 0.4;  // somebody who may have walked on in between
constexpr double kMaxSizeRatio = 2.0;

bool is_near(const Region& a, const Region& b, double share) {
  const double small = std::min(a.side, b.side), large = std::max(a.side, b.side);
  return large <= kMaxSizeRatio * small &&
         std::hypot(a.centre.x - b.centre.x, a.centre.y - b.centre.y) <= share * small;
}

}  // namespace

void RegionTracks::move(int64_t id, const Region& region) {
  const auto track = std::find_if(active_.begin(), active_.end(), [&](const Track& t) { return t.id == id; });
  if (track == active_.end()) return;
  track->region = region;
  track->last_frame = frame_;
}

void RegionTracks::lose(int64_t id) {
  const auto track = std::find_if(active_.begin(), active_.end(), [&](const Track& t) { return t.id == id; });
  if (track == active_.end()) return;
  lost_.push_back(*track);
  active_.erase(track);
  lost_frame_ = frame_;
}

void RegionTracks::lose_all() {
  lost_.insert(lost_.end(), active_.begin(), active_.end());
  active_.clear();
  lost_frame_ = frame_;
}

std::vector<int64_t> RegionTracks::drop_doubles() {
  std::vector<Track> kept;
  std::vector<int64_t> dropped;
  for (const Track& track : active_) {
    const bool is_double = std::any_of(kept.begin(), kept.end(), [&](const Track& older) {
      return is_near(older.region, track.region, kSamePersonNow);
    });
    if (is_double) {
      dropped.push_back(track.id);
    } else {
      kept.push_back(track);
    }
  }
  active_ = std::move(kept);
  return dropped;
}

bool RegionTracks::should_detect() const {
  if (is_full()) return false;
  return active_.empty() || lost_frame_ == frame_ || frame_ - last_detection_ >= options_.detect_every_frames;
}

bool RegionTracks::should_search_parts(size_t num_found) const {
  if (is_full() || !(options_.search_small || (num_found == 0 && active_.empty()))) return false;
  return last_part_search_ < 0 || frame_ - last_part_search_ >= options_.detect_every_frames;
}

bool RegionTracks::is_followed(const Region& region) const {
  return std::any_of(active_.begin(), active_.end(),
                     [&](const Track& track) { return is_near(track.region, region, kSamePersonNow); });
}

int64_t RegionTracks::add(const Region& region) {
  std::erase_if(lost_,
                [&](const Track& track) { return frame_ - track.last_frame > options_.remember_frames; });
  const auto known = std::find_if(lost_.rbegin(), lost_.rend(), [&](const Track& track) {
    return is_near(track.region, region, kSamePersonLater);
  });
  Track track{next_id_, region, frame_};
  if (known == lost_.rend()) {
    ++next_id_;
  } else {
    track.id = known->id;
    lost_.erase(std::next(known).base());
  }
  active_.push_back(track);
  return track.id;
}

}  // namespace zt::data
