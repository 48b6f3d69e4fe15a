// SPDX-License-Identifier: Apache-2.0
// The key-points of a whole clip: reads its pictures, has people found in each, keeps those that matter,
// steadies their motion.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/error.hpp"
#include "data/ingest/pose_estimator.hpp"
#include "data/keypoints/keypoints.hpp"
#include "data/pose/frame_estimator.hpp"

namespace zt::data {

struct ClipPoseOptions {
  double min_confidence = 0.3;   ///< points below it are absent
  int64_t max_people = 1;        ///< the largest tracks are kept; 0 = all (at most kMaxPeople)
  int64_t min_track_frames = 5;  ///< shorter tracks in longer clips are mistakes
  int64_t max_gap_frames = 8;    ///< clean_track.hpp, fill_gaps()
  double smoothing = 0.5;        ///< clean_track.hpp, smooth()
  double shot_threshold = 0;     ///< finds cuts beside the request's, as ingest does; 0 = doesn't
};

/// Everybody's tracks as key-points, picture by picture. Tracks are ordered by the sum of their boxes' areas,
/// so that who is large and long in the picture comes first; person i is the same one in every picture. Where
/// a person is absent and a later one is not, a Person without present points holds the place.
std::vector<Keypoints> keep_people(std::vector<std::vector<TrackedPerson>> pictures,
                                   const ClipPoseOptions& options);

/// Called after every picture with how many are done.
using FrameProgress = std::function<void(int64_t frames_done)>;

/// The request's pictures in order, shot by shot: the tracks that are kept are each shot's own. num_frames 0
/// means up to the end. Frame rate 0 for a folder of pictures. Errors: those of the media and of the
/// estimator; Corrupt if there are fewer pictures than asked for, or the video is cut or damaged; Cancelled
/// once a stop is requested (base/signals.hpp).
Result<KeypointClip> estimate_clip(FrameEstimator& estimator, const PoseRequest& request,
                                   const ClipPoseOptions& options, const FrameProgress& progress = {});

/// For ingest(): an estimator of its own, with one thread, for every request.
PoseEstimator clip_pose_estimator(FrameEstimatorFactory factory, const ClipPoseOptions& options);

}  // namespace zt::data
