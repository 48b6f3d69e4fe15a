// SPDX-License-Identifier: Apache-2.0
// Measures that look at the figure apart from what stands behind it. A mask is a picture of one channel; a
// pixel is foreground if its value is 128 or more (half covered, for the puppet renderer's antialiased
// masks).
#pragma once

#include <optional>

#include "image/image.hpp"

namespace zt::quality {

/// 255 where foreground, else 0, by the rule by which a mask is read off a generated picture whose true
/// background is known: a pixel is foreground if in at least one channel it differs from the background by
/// more than `threshold` grey levels. Parts of the figure that happen to have the background's colour are
/// lost, and so the truth itself does not score an IoU of 1.
image::Image foreground_mask(const image::Image& picture, const image::Image& background, int threshold);

/// Intersection by union; 1 if both masks are empty.
double mask_iou(const image::Image& a, const image::Image& b);

/// PSNR over the pixels that are foreground in `truth_mask`; nothing if there are none.
std::optional<double> foreground_psnr(const image::Image& picture, const image::Image& truth,
                                      const image::Image& truth_mask);

}  // namespace zt::quality
