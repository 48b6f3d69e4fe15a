// SPDX-License-Identifier: Apache-2.0
// Measures over time. Masks belong to the true clip and are read as in foreground.hpp. All in grey levels
// (0..255), mean over channels. Clips: frames in order, all of one size; as many masks as frames.
#pragma once

#include <optional>
#include <span>

#include "image/image.hpp"

namespace zt::quality {

/// Mean absolute change from a frame to the next on pixels that are background in both; pixels of all pairs
/// weigh alike. With a still background the truth scores 0. Nothing for fewer than two frames or where no
/// such pixel is.
std::optional<double> flicker(std::span<const image::Image> frames,
                              std::span<const image::Image> truth_masks);

/// Mean absolute difference between the change of the clip and the change of the truth, |(g1 - g0) - (t1 -
/// t0)|, on pixels that are foreground in at least one frame of the pair. 0 if the clip moves exactly as the
/// truth, whatever constant error it has. Nothing for fewer than two frames or without foreground.
std::optional<double> temporal_error(std::span<const image::Image> frames,
                                     std::span<const image::Image> truth,
                                     std::span<const image::Image> truth_masks);

}  // namespace zt::quality
