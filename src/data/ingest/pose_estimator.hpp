// SPDX-License-Identifier: Apache-2.0
// What ingest needs from a pose extractor. data/pose implements it; the caller of ingest() brings it in, so
// that ingest works without any model file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "base/error.hpp"
#include "data/keypoints/keypoints.hpp"

namespace zt::data {

/// Key-points of `num_frames` frames of a video (file or folder of pictures), starting at `first_frame`. Each
/// shot is a clip of its own: nobody is followed, and no motion filled or smoothed, from one into the next.
struct PoseRequest {
  std::filesystem::path video;
  int64_t first_frame = 0;
  int64_t num_frames = 0;
  std::vector<int64_t> cuts = {};  ///< numbers of the video's frames that start a new shot, ascending
};

/// Called from several threads at a time. Errors: of the media; NotFound if the model files are missing.
using PoseEstimator = std::function<Result<KeypointClip>(const PoseRequest& request)>;

}  // namespace zt::data
