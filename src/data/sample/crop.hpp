// SPDX-License-Identifier: Apache-2.0
// Which part of the picture a sample sees. The maths is torchvision's RandomResizedCrop; ours draws it once
// per sample in normalised coordinates for all streams, the compat form once per stream in pixels with the
// same draws, as Moore-AnimateAnyone does.
#pragma once

#include <cstdint>
#include <functional>

#include "config/job/data_job.hpp"
#include "data/keypoints/keypoints.hpp"

namespace zt::image {
struct Image;
}

namespace zt::data {

/// Ranges of RandomResizedCrop. The ratio is the crop's width / height; see CropMode for its reference.
struct CropRule {
  double scale_min = 1.0;  ///< share of the picture's area
  double scale_max = 1.0;
  double ratio_min = 1.0;
  double ratio_max = 1.0;
  bool operator==(const CropRule&) const = default;
};

using config::CropMode;

struct PixelCrop {
  int64_t top = 0;
  int64_t left = 0;
  int64_t height = 0;
  int64_t width = 0;
  bool operator==(const PixelCrop&) const = default;
};

/// Where the maths gets its random numbers, in torchvision's order: per try an area, then a log-ratio; on
/// acceptance a top, then a left.
struct CropDraws {
  std::function<double(double low, double high)> uniform;
  std::function<int64_t(int64_t bound)> below;  ///< uniform in [0, bound)
};

/// At most ten tries, then the centred fallback. Requires width, height >= 1 and 0 < ratio_min <= ratio_max.
PixelCrop random_resized_crop(int64_t width, int64_t height, const CropRule& rule, const CropDraws& draws);

NormBox normalise(const PixelCrop& crop, int64_t width, int64_t height);

/// The region of the picture, resized as torchvision's RandomResizedCrop does it (PIL, bilinear,
/// antialiased). Edges that fall between pixels of this picture are kept, so that streams of different sizes
/// show the same region.
image::Image crop_picture(const image::Image& picture, const NormBox& region, int width, int height);

}  // namespace zt::data
