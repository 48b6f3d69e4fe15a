// SPDX-License-Identifier: Apache-2.0
#include "data/pose/estimate_clip.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "base/signals.hpp"
#include "data/internal/shots.hpp"
#include "data/internal/whole_video.hpp"
#include "data/pose/clean_track.hpp"
#include "data/sample/frame_source.hpp"
#include "image/file.hpp"
#include "media/video_reader.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;

// The pictures of a video or folder from the first to the last, decoded once. (FrameSource gives chosen
// ones.)
class PictureStream {
 public:
  static Result<PictureStream> open(const fs::path& path) {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
      ZT_TRY_ASSIGN(auto files, list_frames(path));
      return PictureStream(std::move(files));
    }
    ZT_TRY_ASSIGN(auto reader, media::VideoReader::open(path));
    // Before somebody is searched for hours in what will be refused.
    const int64_t num_frames = reader.info().num_frames;
    if (num_frames > 0) ZT_TRY(internal::require_end(path, num_frames));
    return PictureStream(std::move(reader));
  }

  Result<std::optional<image::Image>> next() {
    if (auto* reader = std::get_if<media::VideoReader>(&source_)) return reader->next();
    const auto& files = std::get<Files>(source_);
    if (position_ == files.size()) return std::nullopt;
    return image::read(files[position_++]);
  }

  /// Of what was read. Errors: Corrupt if it lacked anything.
  Status require_whole(const fs::path& path) const {
    const auto* reader = std::get_if<media::VideoReader>(&source_);
    return reader ? media::require_whole(path, reader->report()) : Status();
  }

  media::Rational rate() const {
    const auto* reader = std::get_if<media::VideoReader>(&source_);
    return reader ? reader->info().fps : media::Rational{0, 1};
  }

 private:
  using Files = std::vector<fs::path>;
  explicit PictureStream(std::variant<media::VideoReader, Files> source) : source_(std::move(source)) {}
  std::variant<media::VideoReader, Files> source_;
  size_t position_ = 0;
};

double box_area(const Person& person) {
  const auto [left, top, right, bottom] = bounding_box(person);
  return (right - left) * (bottom - top);
}

// The numbers of the tracks worth keeping, the largest first.
std::vector<int64_t> rank_tracks(const std::vector<std::vector<TrackedPerson>>& pictures,
                                 const ClipPoseOptions& options) {
  struct Track {
    int64_t id = 0;
    int64_t num_frames = 0;
    double size = 0;
  };
  std::map<int64_t, Track> tracks;
  for (const auto& people : pictures) {
    for (const TrackedPerson& seen : people) {
      Track& track = tracks[seen.track];
      track.id = seen.track;
      track.num_frames += 1;
      track.size += box_area(seen.person);
    }
  }
  const auto needed = std::min(options.min_track_frames, static_cast<int64_t>(pictures.size()));
  std::vector<Track> ranked;
  for (const auto& [id, track] : tracks) {
    if (track.num_frames >= needed) ranked.push_back(track);
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& x, const auto& y) { return x.size > y.size; });
  const auto limit = options.max_people > 0 ? static_cast<size_t>(options.max_people) : kMaxPeople;
  ranked.resize(std::min({limit, kMaxPeople, ranked.size()}));
  std::vector<int64_t> ids;
  for (const Track& track : ranked) ids.push_back(track.id);
  return ids;
}

// Takes one person out of all pictures.
PersonTrack take_track(std::vector<std::vector<TrackedPerson>>& pictures, int64_t id) {
  PersonTrack track(pictures.size());
  for (size_t i = 0; i < pictures.size(); ++i) {
    for (TrackedPerson& seen : pictures[i]) {
      if (seen.track == id) track[i] = std::move(seen.person);
    }
  }
  return track;
}

// Takes the pictures' people shot by shot.
class ShotCollector {
 public:
  ShotCollector(const PoseRequest& request, const ClipPoseOptions& options)
      : request_(request), options_(options), detector_(options.shot_threshold) {}

  // Of the request's pictures, in order.
  bool starts_shot(int64_t frame, const image::Image& picture) {
    const size_t num_cuts = detector_.cuts().size();
    if (options_.shot_threshold > 0) detector_.add(picture);
    return detector_.cuts().size() > num_cuts ||
           (frame > request_.first_frame &&
            std::binary_search(request_.cuts.begin(), request_.cuts.end(), frame));
  }
  void end_shot() {
    std::vector<Keypoints> shot = keep_people(std::exchange(pictures_, {}), options_);
    std::move(shot.begin(), shot.end(), std::back_inserter(frames_));
  }
  void add(std::vector<TrackedPerson> people) { pictures_.push_back(std::move(people)); }
  int64_t num_frames() const { return static_cast<int64_t>(frames_.size() + pictures_.size()); }
  std::vector<Keypoints> finish() {
    end_shot();
    return std::move(frames_);
  }

 private:
  const PoseRequest& request_;
  const ClipPoseOptions& options_;
  internal::ShotDetector detector_;
  std::vector<std::vector<TrackedPerson>> pictures_;  // of the shot that goes on
  std::vector<Keypoints> frames_;
};

}  // namespace

std::vector<Keypoints> keep_people(std::vector<std::vector<TrackedPerson>> pictures,
                                   const ClipPoseOptions& options) {
  for (auto& people : pictures) {
    for (TrackedPerson& seen : people) drop_unsure(seen.person, options.min_confidence);
  }
  std::vector<Keypoints> frames(pictures.size());
  for (const int64_t id : rank_tracks(pictures, options)) {
    PersonTrack track = take_track(pictures, id);
    complete_parts(track);
    fill_gaps(track, options.max_gap_frames);
    smooth(track, options.smoothing);
    for (size_t i = 0; i < frames.size(); ++i) frames[i].people.push_back(std::move(track[i]));
  }
  for (Keypoints& frame : frames) {
    while (!frame.people.empty() && !is_seen(frame.people.back())) frame.people.pop_back();
  }
  return frames;
}

Result<KeypointClip> estimate_clip(FrameEstimator& estimator, const PoseRequest& request,
                                   const ClipPoseOptions& options, const FrameProgress& progress) {
  ZT_TRY_ASSIGN(auto stream, PictureStream::open(request.video));
  const int64_t end = request.num_frames > 0 ? request.first_frame + request.num_frames : INT64_MAX;
  KeypointClip clip;
  ShotCollector shots(request, options);
  for (int64_t frame = 0; frame < end; ++frame) {
    if (signals::stop() != signals::Stop::None) return fail(ErrorCode::Cancelled, "stopped on request");
    ZT_TRY_ASSIGN(const auto picture, stream.next());
    if (!picture) break;
    if (frame < request.first_frame) continue;
    if (shots.starts_shot(frame, *picture)) {
      shots.end_shot();
      estimator.begin_shot();
    }
    ZT_TRY_ASSIGN(auto people, estimator.next(*picture));
    shots.add(std::move(people));
    clip.width = picture->width;
    clip.height = picture->height;
    if (progress) progress(shots.num_frames());
  }
  ZT_TRY(stream.require_whole(request.video));
  if (shots.num_frames() == 0 || shots.num_frames() < request.num_frames) {
    return fail(ErrorCode::Corrupt,
                fmt::format("{} has only {} of the frames from {} on", request.video.string(),
                            shots.num_frames(), request.first_frame));
  }
  clip.fps_num = stream.rate().num;
  clip.fps_den = stream.rate().den;
  clip.source = estimator.name();
  clip.frames = shots.finish();
  return clip;
}

PoseEstimator clip_pose_estimator(FrameEstimatorFactory factory, const ClipPoseOptions& options) {
  return [factory = std::move(factory), options](const PoseRequest& request) -> Result<KeypointClip> {
    ZT_TRY_ASSIGN(const auto estimator, factory(1));
    return estimate_clip(*estimator, request, options);
  };
}

}  // namespace zt::data
