// SPDX-License-Identifier: Apache-2.0
// Image: an 8-bit picture in memory, and the operations that only move pixels. Every picture and video frame
// in Zoetrope is one of these: 3 channels are RGB, 1 channel is a mask or grey picture.
//
// Functions here and in resize.hpp, draw.hpp throw std::invalid_argument on calls that can't be right (sizes
// below 1, a box outside the picture): outside bytes are checked where they enter (file.hpp, media/).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace zt::image {

using Rgb = std::array<uint8_t, 3>;
inline constexpr Rgb kBlack{0, 0, 0};
inline constexpr Rgb kWhite{255, 255, 255};

/// Rows from the top, pixels from the left, channels together (HWC), no padding between rows.
struct Image {
  int width = 0;
  int height = 0;
  int channels = 3;
  std::vector<uint8_t> pixels;

  Image() = default;
  /// All zero (black). Requires: width, height >= 1; channels 1 or 3.
  Image(int width_px, int height_px, int num_channels = 3);

  bool empty() const { return pixels.empty(); }
  size_t row_bytes() const { return static_cast<size_t>(width) * static_cast<size_t>(channels); }
  uint8_t* row(int y) { return pixels.data() + static_cast<size_t>(y) * row_bytes(); }
  const uint8_t* row(int y) const { return pixels.data() + static_cast<size_t>(y) * row_bytes(); }
  /// The first channel of a pixel; the others follow.
  uint8_t* at(int x, int y) { return row(y) + static_cast<size_t>(x) * static_cast<size_t>(channels); }
  const uint8_t* at(int x, int y) const {
    return row(y) + static_cast<size_t>(x) * static_cast<size_t>(channels);
  }
  friend bool operator==(const Image&, const Image&) = default;
};

/// A picture of one colour. Three channels.
Image filled(int width, int height, Rgb colour);

/// The part [left, left + width) x [top, top + height). Requires: it lies inside the picture.
Image crop(const Image& source, int left, int top, int width, int height);
/// The middle part, offsets rounded down as in CLIPImageProcessor; where the picture is smaller, black is
/// added around it.
Image center_crop(const Image& source, int width, int height);
/// Copies `patch` with its top left corner at (left, top); what falls outside is cut off. Requires: equal
/// channels.
void paste(Image& canvas, const Image& patch, int left, int top);

/// The eight orientations of the Exif tag 0x0112, by its values: how the stored picture must be turned to
/// stand upright.
enum class Orientation : uint8_t {
  Upright = 1,
  MirrorHorizontal = 2,
  Rotate180 = 3,
  MirrorVertical = 4,
  Transpose = 5,
  Rotate90 = 6,  ///< turn clockwise by 90 degrees
  Transverse = 7,
  Rotate270 = 8,
};
/// The picture turned upright.
Image oriented(const Image& source, Orientation orientation);

struct GridOptions {
  int columns = 1;
  int padding = 2;  ///< pixels around every cell, also at the outer border (as torchvision's make_grid)
  Rgb background = kBlack;
};
/// Pictures side by side in rows of `columns` cells; every cell has the size of the largest picture, smaller
/// ones sit at the top left. The result is columns * (w + padding) + padding wide. Requires: at least one
/// picture, 3 channels each.
Image grid(std::span<const Image> images, const GridOptions& options);
/// grid() with one row.
Image hconcat(std::span<const Image> images, int padding = 0, Rgb background = kBlack);

}  // namespace zt::image
