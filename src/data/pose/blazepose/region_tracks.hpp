// SPDX-License-Identifier: Apache-2.0
// Who is being followed, and where to look for each: the decisions of tracking, without networks or pictures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/pose/blazepose/region.hpp"

namespace zt::data {

struct TrackingOptions {
  int max_tracks = 4;            ///< people followed at a time
  int detect_every_frames = 15;  ///< how often newcomers are looked for while somebody is followed
  int remember_frames = 30;      ///< somebody found again within so many frames keeps the number
  /// Look for small people (below a third of the picture) even where large ones are found. Without it they
  /// are looked for, every `detect_every_frames`, only while nobody is found.
  bool search_small = false;
};

/// Usage per picture: begin_frame(); lose_all() at a shot cut; move() or lose() every active track;
/// drop_doubles(); if should_detect(), for each detection that is not is_followed(): add().
class RegionTracks {
 public:
  struct Track {
    int64_t id = 0;
    Region region;           ///< where to look in the next picture
    int64_t last_frame = 0;  ///< when the person was last seen
  };

  explicit RegionTracks(const TrackingOptions& options) : options_(options) {}

  void begin_frame() { ++frame_; }
  /// Those followed, oldest first.
  const std::vector<Track>& active() const { return active_; }
  void move(int64_t id, const Region& region);
  /// The person was not seen where expected.
  void lose(int64_t id);
  void lose_all();
  /// Of tracks that came to lie on the same person only the oldest stays; returns the numbers of the others.
  std::vector<int64_t> drop_doubles();
  /// Whether to look for people: when nobody is followed, somebody got lost in this picture, or the time has
  /// come.
  bool should_detect() const;
  /// Whether parts of the picture are to be searched too, given how many people the whole has shown in this
  /// picture.
  bool should_search_parts(size_t num_found) const;
  void note_detection() { last_detection_ = frame_; }
  void note_part_search() { last_part_search_ = frame_; }
  bool is_full() const { return active_.size() >= static_cast<size_t>(options_.max_tracks); }
  bool is_followed(const Region& region) const;
  /// Starts to follow somebody; returns the number, an old one if it is somebody who was lost nearby a short
  /// time ago.
  int64_t add(const Region& region);

 private:
  TrackingOptions options_;
  std::vector<Track> active_;
  std::vector<Track> lost_;
  int64_t frame_ = -1;
  int64_t last_detection_ = -1;
  int64_t last_part_search_ = -1;
  int64_t lost_frame_ = -1;  // when somebody got lost last
  int64_t next_id_ = 0;
};

}  // namespace zt::data
