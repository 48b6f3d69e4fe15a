// SPDX-License-Identifier: Apache-2.0
#include "data/ingest/internal/examine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/files/files.hpp"
#include "base/text/text.hpp"
#include "data/ingest/internal/measure.hpp"
#include "data/internal/shots.hpp"
#include "data/keypoints/keypoints.hpp"

namespace zt::data::ingest_internal {
namespace {

namespace fs = std::filesystem;
using internal::FrameRange;

// Who is seen in one frame.
struct FramePose {
  bool has_person = false;
  int num_people = 0;      // 0 = unknown
  std::optional<Box> box;  // of the primary person, or of all that is drawn
};

// By frame; empty if the pose is taken at its word.
using FramePoses = std::vector<FramePose>;

// Who is seen in a clip.
struct PoseFacts {
  int64_t frames_with_person = 0;
  int num_people = 0;
  Box box{0, 0, 1, 1};
};

PoseFacts facts_of(const FramePoses& poses, const FrameRange& range) {
  if (poses.empty()) return {.frames_with_person = range.count};
  PoseFacts facts;
  Box box{1, 1, 0, 0};
  for (int64_t f = range.first; f < range.first + range.count; ++f) {
    const FramePose& frame = poses[static_cast<size_t>(f)];
    facts.frames_with_person += frame.has_person ? 1 : 0;
    facts.num_people = std::max(facts.num_people, frame.num_people);
    if (!frame.box) continue;
    for (size_t i = 0; i < 2; ++i) {
      box[i] = std::min(box[i], (*frame.box)[i]);
      box[i + 2] = std::max(box[i + 2], (*frame.box)[i + 2]);
    }
  }
  if (box[0] < box[2] && box[1] < box[3]) facts.box = box;
  return facts;
}

FramePose pose_of(const Keypoints& frame) {
  FramePose pose;
  pose.num_people = static_cast<int>(std::count_if(frame.people.begin(), frame.people.end(), is_seen));
  pose.has_person = pose.num_people > 0;
  if (pose.has_person && is_seen(frame.people.front())) pose.box = bounding_box(frame.people.front());
  return pose;
}

// Of everybody who was looked for, those who are wanted: the largest come first.
void keep_first(KeypointClip& clip, size_t num_people) {
  for (Keypoints& frame : clip.frames) {
    frame.people.resize(std::min(frame.people.size(), num_people));
    while (!frame.people.empty() && !is_seen(frame.people.back())) frame.people.pop_back();
  }
}

class Examiner {
 public:
  Examiner(const Candidate& candidate, const std::string& id, const Examination& how)
      : candidate_(candidate), id_(id), how_(how), job_(how.job) {}

  Outcome run() {
    const auto clip = check();
    if (!clip) {
      outcome_.rejects.push_back(clip.error());
    } else {
      cut_into_clips(*clip);
    }
    return std::move(outcome_);
  }

 private:
  tl::unexpected<Finding> reject(std::string reason, std::string detail) const {
    return tl::make_unexpected(Finding{candidate_.where, std::move(reason), std::move(detail)});
  }
  tl::unexpected<Finding> reject(std::string reason, const Error& error) const {
    return tl::make_unexpected(Finding{candidate_.where, std::move(reason), error.text(), error.code});
  }
  void remark(std::string reason, std::string detail) {
    outcome_.remarks.push_back({candidate_.where, std::move(reason), std::move(detail)});
  }
  std::string stored(const fs::path& path) const {
    if (path.empty()) return "";
    std::error_code error;
    const fs::path file = fs::absolute(path, error), folder = fs::absolute(how_.folder, error);
    const fs::path by_names = file.lexically_proximate(folder);
    if (fs::equivalent(folder / by_names, file, error)) return by_names.generic_string();
    // Behind a link ".." is a folder above the link's target.
    return file.lexically_proximate(fs::weakly_canonical(folder, error)).generic_string();
  }

  // The whole video as one record.
  Checked<ClipRecord> check() {
    if (!text::is_utf8(candidate_.video.string()))
      return reject("bad-name", "the path is not UTF-8, which the index can't hold; rename the file");
    ZT_TRY_ASSIGN(Footage footage, Footage::open(candidate_.video));
    outcome_.is_probed = true;
    ZT_TRY_ASSIGN(facts_, footage.measure({.decode = job_.verify_frames,
                                           .cut_threshold = job_.split_shots ? job_.shot_threshold : 0}));
    outcome_.is_decoded = facts_.is_decoded;
    if (std::min(facts_.width, facts_.height) < job_.min_side_px)
      return reject("too-small", fmt::format("{} x {} pixels, and the shorter side must have {}",
                                             facts_.width, facts_.height, job_.min_side_px));
    if (facts_.num_frames < job_.min_frames)
      return reject("too-short",
                    fmt::format("{} frames, and {} are needed", facts_.num_frames, job_.min_frames));
    if (facts_.is_variable_rate)
      remark("variable-frame-rate", "frames are taken as they come, whatever their time");
    ClipRecord clip;
    ZT_TRY_ASSIGN(clip.content, digest(candidate_.video));
    ZT_TRY(add_pose(clip));
    ZT_TRY(add_companion(candidate_.mask, "mask", clip.mask));
    ZT_TRY(add_companion(candidate_.labels, "labels", clip.labels));
    if (!candidate_.background.empty()) ZT_TRY(need_background());
    clip.background = stored(candidate_.background);
    clip.video = stored(candidate_.video);
    clip.split = candidate_.split;
    clip.character = candidate_.character;
    clip.motion = candidate_.motion;
    clip.num_frames = facts_.num_frames;
    clip.width = facts_.width;
    clip.height = facts_.height;
    clip.fps_num = facts_.fps.num;
    clip.fps_den = std::max<int64_t>(1, facts_.fps.den);
    return clip;
  }

  // Equal lengths are what the whole pipeline stands on: frame i of every file is the same moment.
  tl::expected<void, Finding> need_equal_length(std::string_view kind, int64_t num_frames) const {
    if (num_frames == facts_.num_frames) return {};
    return reject("frame-count-mismatch",
                  fmt::format("the video has {} frames, its {} {}", facts_.num_frames, kind, num_frames));
  }

  // A folder that is closed to us does not say what is missing in it.
  tl::expected<void, Finding> need_background() const {
    const fs::path& path = candidate_.background;
    if (files::is_absent(path)) return reject("missing-file", "there is no background " + path.string());
    std::error_code error;
    if (fs::exists(path, error)) return {};
    const Error closed = files::errno_error("look at background", path, error.value());
    return reject(reason_of(closed.code), closed);
  }

  tl::expected<void, Finding> add_companion(const fs::path& path, std::string_view kind,
                                            std::string& field) const {
    if (path.empty()) return {};
    ZT_TRY_ASSIGN(const Facts facts, measure(path, {.decode = job_.verify_frames}));
    ZT_TRY(need_equal_length(kind, facts.num_frames));
    field = stored(path);
    return {};
  }

  // Where the pose of the whole video comes from; who is seen is each clip's matter.
  tl::expected<void, Finding> add_pose(ClipRecord& clip) {
    if (!candidate_.pose.empty()) {
      ZT_TRY_ASSIGN(poses_, check_pose_video(clip));
    }
    if (!candidate_.keypoints.empty()) {
      ZT_TRY_ASSIGN(poses_, check_keypoints(read_keypoints(candidate_.keypoints), "keypoints-corrupt"));
      clip.keypoints = stored(candidate_.keypoints);
    }
    if (!poses_ && job_.extract_pose) {
      ZT_TRY_ASSIGN(poses_, estimate(clip));
    }
    return {};
  }

  Checked<FramePoses> check_pose_video(ClipRecord& clip) {
    if (files::is_absent(candidate_.pose))
      return reject("missing-pose", "there is no " + candidate_.pose.string());
    ZT_TRY_ASSIGN(const Facts facts, measure(candidate_.pose, {.decode = job_.verify_frames,
                                                               .find_figure = job_.verify_frames}));
    ZT_TRY(need_equal_length("pose video", facts.num_frames));
    if (!(facts.fps == facts_.fps))
      remark("frame-rate-differs",
             fmt::format("video {:.3f}, pose {:.3f} frames a second", facts_.fps.value(), facts.fps.value()));
    clip.pose_video = stored(candidate_.pose);
    clip.pose_width = facts.width;
    clip.pose_height = facts.height;
    // Without a look at its pictures the pose video is taken at its word.
    FramePoses poses;
    for (const auto& figure : facts.figures) poses.push_back({figure.has_value(), 0, figure});
    return poses;
  }

  Checked<FramePoses> check_keypoints(const Result<KeypointClip>& clip, std::string_view reason) const {
    if (!clip) {
      const ErrorCode code = clip.error().code;
      return reject(code == ErrorCode::NotFound ? "missing-pose" : reason_if_closed(code, reason),
                    clip.error());
    }
    ZT_TRY(need_equal_length("key-points", static_cast<int64_t>(clip->frames.size())));
    FramePoses poses;
    for (const Keypoints& frame : clip->frames) poses.push_back(pose_of(frame));
    return poses;
  }

  Checked<FramePoses> estimate(ClipRecord& clip) {
    if (!how_.estimator)
      return reject("missing-pose",
                    "no pose is given, and there is no pose extractor (scripts/setup fetches its "
                    "models); extract_pose: false keeps clips without poses");
    auto found = how_.estimator({candidate_.video, 0, facts_.num_frames, facts_.cuts});
    ZT_TRY_ASSIGN(FramePoses poses, check_keypoints(found, "pose-failed"));
    keep_first(*found, static_cast<size_t>(job_.pose.max_people));
    const fs::path path = how_.folder / "keypoints" / (id_ + ".jsonl");
    auto written = files::make_folders(path.parent_path());
    if (written) written = write_keypoints(path, *found);
    if (!written) return reject("pose-failed", written.error());
    clip.keypoints = stored(path);
    return poses;
  }

  void cut_into_clips(const ClipRecord& whole) {
    const std::vector<FrameRange> ranges =
        internal::split_frames(facts_.num_frames, facts_.cuts, job_.max_frames);
    for (size_t i = 0; i < ranges.size(); ++i) {
      ClipRecord clip = whole;
      clip.id = ranges.size() == 1 ? id_ : fmt::format("{}-{:03}", id_, i);
      clip.first_frame = ranges[i].first;
      clip.num_frames = ranges[i].count;
      auto accepted = check_clip(clip);
      if (!accepted) {
        if (ranges.size() > 1)
          accepted.error().what +=
              fmt::format(" frames {}..{}", clip.first_frame, clip.first_frame + clip.num_frames - 1);
        outcome_.rejects.push_back(std::move(accepted).error());
        continue;
      }
      outcome_.clips.push_back(std::move(clip));
    }
  }

  // Length and people of one clip of the video.
  tl::expected<void, Finding> check_clip(ClipRecord& clip) {
    if (clip.num_frames < job_.min_frames)
      return reject("shot-too-short",
                    fmt::format("{} frames, and {} are needed", clip.num_frames, job_.min_frames));
    if (!poses_) return {};
    const PoseFacts pose = facts_of(*poses_, {clip.first_frame, clip.num_frames});
    const double share = static_cast<double>(pose.frames_with_person) / static_cast<double>(clip.num_frames);
    if (share < job_.min_pose_share)
      return reject("no-person", fmt::format("a person is seen in {} of {} frames", pose.frames_with_person,
                                             clip.num_frames));
    if (job_.max_people > 0 && pose.num_people > job_.max_people)
      return reject("too-many-people", fmt::format("{} people in a frame, at most {} are wanted",
                                                   pose.num_people, job_.max_people));
    outcome_.has_pose = true;
    clip.num_people = pose.num_people;
    clip.person_box = pose.box;
    return {};
  }

  const Candidate& candidate_;
  const std::string& id_;
  const Examination& how_;
  const config::IngestJob& job_;
  Facts facts_;
  std::optional<FramePoses> poses_;
  Outcome outcome_;
};

}  // namespace

bool is_final(const Outcome& outcome) { return std::ranges::none_of(outcome.rejects, &Finding::may_pass); }

Outcome examine(const Candidate& candidate, const std::string& id, const Examination& how) {
  return Examiner(candidate, id, how).run();
}

}  // namespace zt::data::ingest_internal
