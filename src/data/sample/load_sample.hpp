// SPDX-License-Identifier: Apache-2.0
// From a plan to pictures: decodes, crops and resizes what one sample shows. prepare/sample_stream.hpp does
// so ahead of training, on threads and in order.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/error.hpp"
#include "data/clip_index.hpp"
#include "data/keypoints/draw_pose.hpp"
#include "data/sample/decode_budget.hpp"
#include "data/sample/sample_plan.hpp"
#include "image/image.hpp"

namespace zt::media {
class FrameTables;
}

namespace zt::data {

/// Which parts of a sample are wanted: a trainer with cached latents asks for poses only.
struct SampleParts {
  bool reference = true;        ///< cropped reference picture
  bool reference_whole = true;  ///< uncropped reference picture (input of the CLIP encoder)
  bool targets = true;
  bool poses = true;
  bool reference_pose = false;
  bool masks = false;
  bool operator==(const SampleParts&) const = default;
};

/// Auto: key-points if the clip has them, else its pose video.
enum class PoseChoice { Keypoints, Video, Auto };

struct LoadSampleOptions {
  int width = 64;
  int height = 64;
  PoseChoice pose = PoseChoice::Auto;
  DrawOptions draw;
  SampleParts parts;
  /// Bounds the decoded pictures of all threads that load with copies of these options, which therefore share
  /// it; null = no bound.
  std::shared_ptr<DecodeBudget> budget;
  /// Shared likewise: films that many samples come from are gone through once. Null: each time.
  std::shared_ptr<media::FrameTables> tables;
};

/// One training sample, RGB bytes. Parts that were not asked for are empty.
struct Sample {
  SamplePlan plan;
  image::Image reference;
  image::Image reference_whole;
  std::vector<image::Image> targets;
  std::vector<image::Image> poses;
  image::Image reference_pose;
  std::vector<image::Image> masks;  ///< one channel, 255 = foreground
};

/// Waits while the budget is used up by others. Errors: those of the files as blamed(), with clip id and
/// path; Timeout; InvalidArgument if the clip has no pose or mask that is wanted. Threads: any.
Result<Sample> load_sample(const ClipIndex& index, const SamplePlan& plan, const LoadSampleOptions& options);

}  // namespace zt::data
