// SPDX-License-Identifier: Apache-2.0
// The poses of one generation by frame number: pictures of a pose video, or key-points drawn at the size
// wanted. Pictures are decoded or drawn when asked for, so that memory does not grow with the clip.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"
#include "data/keypoints/draw_pose.hpp"
#include "data/keypoints/keypoints.hpp"
#include "data/sample/frame_source.hpp"
#include "generate/pictures/canvas.hpp"
#include "generate/pipeline/pipeline.hpp"
#include "image/image.hpp"
#include "media/video_info.hpp"

namespace zt::generate {

/// Threads: one caller at a time. PoseFrames made from it must not outlive it.
class PoseSource {
 public:
  /// A key-point file (docs/formats/keypoints.md, told by its first byte), else a video. Videos are decoded
  /// once to count their frames. Errors: those of the readers; Corrupt for a video that ends early or has
  /// damaged frames, as every later pose would be another frame's.
  static Result<PoseSource> open(const std::filesystem::path& path, const data::DrawOptions& draw);
  /// Requires: at least one frame.
  static PoseSource of(data::KeypointClip clip, const data::DrawOptions& draw);

  int64_t num_frames() const { return num_frames_; }
  /// Of the file; 0/1 if it says none.
  media::Rational fps() const { return fps_; }
  /// Null for a video.
  const data::KeypointClip* keypoints() const;

  /// Pose pictures of these frames, the size of the canvas's result.
  Result<std::vector<image::Image>> pictures(std::span<const int64_t> frames, const Canvas& canvas);
  /// For sample_latents().
  PoseFrames frames(const Canvas& canvas);

 private:
  PoseSource(std::variant<data::FrameSource, data::KeypointClip> source, const data::DrawOptions& draw)
      : source_(std::move(source)), draw_(draw) {}
  std::variant<data::FrameSource, data::KeypointClip> source_;
  data::DrawOptions draw_;
  int64_t num_frames_ = 0;
  media::Rational fps_;
};

}  // namespace zt::generate
