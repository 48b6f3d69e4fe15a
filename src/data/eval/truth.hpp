// SPDX-License-Identifier: Apache-2.0
// What a clip of the index shows in truth, at the size it is generated at: everything that a generated clip
// is measured against.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.hpp"
#include "data/clip_index.hpp"
#include "data/sample/load_sample.hpp"
#include "image/image.hpp"
#include "quality/score.hpp"

namespace zt::data {

struct ClipTruth {
  Sample sample;  ///< reference (frame 0), whole reference, the frames after it, their poses and masks
  std::vector<image::Image> tail_masks;  ///< of the part that lags behind the motion; empty without labels
  std::optional<image::Image> background;
  /// Per frame; empty without labels and key-points.
  std::vector<std::vector<quality::ColouredJoint>> joints;
};

/// The clip's frames 1 to num_frames (or its last); frame 0 is the reference and not judged, because copying
/// it would be perfect there. The largest centred part of the size's aspect is taken of every stream. Joints
/// are hands, feet and head, with the colour that the true picture shows under their label near the
/// key-point. Errors: InvalidArgument for a clip of one frame; those of the files.
Result<ClipTruth> load_truth(const ClipIndex& index, size_t clip, const LoadSampleOptions& options,
                             int64_t num_frames);

/// For quality::score_clip(). The truth must outlive it.
quality::ClipPair pair_with(const ClipTruth& truth, std::span<const image::Image> generated,
                            double mask_threshold);

}  // namespace zt::data
