// SPDX-License-Identifier: Apache-2.0
#include "image/image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace zt::image {
namespace {

size_t pixel_bytes(const Image& picture) { return static_cast<size_t>(picture.channels); }

// Where the upright picture's pixel (x, y) lies in the stored one of size w x h.
std::array<int, 2> stored_position(Orientation orientation, int x, int y, int w, int h) {
  switch (orientation) {
    case Orientation::Upright:
      return {x, y};
    case Orientation::MirrorHorizontal:
      return {w - 1 - x, y};
    case Orientation::Rotate180:
      return {w - 1 - x, h - 1 - y};
    case Orientation::MirrorVertical:
      return {x, h - 1 - y};
    case Orientation::Transpose:
      return {y, x};
    case Orientation::Rotate90:
      return {y, h - 1 - x};
    case Orientation::Transverse:
      return {w - 1 - y, h - 1 - x};
    case Orientation::Rotate270:
      return {w - 1 - y, x};
  }
  return {x, y};
}

}  // namespace

Image::Image(int width_px, int height_px, int num_channels)
    : width(width_px), height(height_px), channels(num_channels) {
  if (width < 1 || height < 1 || (channels != 1 && channels != 3)) {
    throw std::invalid_argument(
        fmt::format("a picture can't be {} x {} with {} channels", width, height, channels));
  }
  pixels.resize(static_cast<size_t>(height) * row_bytes());
}

Image filled(int width, int height, Rgb colour) {
  Image picture(width, height);
  for (size_t i = 0; i < picture.pixels.size(); i += 3) std::copy_n(colour.data(), 3, &picture.pixels[i]);
  return picture;
}

Image crop(const Image& source, int left, int top, int width, int height) {
  if (left < 0 || top < 0 || width < 1 || height < 1 || width > source.width - left ||
      height > source.height - top) {
    throw std::invalid_argument(fmt::format("crop {} x {} at ({}, {}) is not inside a picture of {} x {}",
                                            width, height, left, top, source.width, source.height));
  }
  Image part(width, height, source.channels);
  for (int y = 0; y < height; ++y) std::copy_n(source.at(left, top + y), part.row_bytes(), part.row(y));
  return part;
}

Image center_crop(const Image& source, int width, int height) {
  Image part(width, height, source.channels);
  // floor((source - wanted) / 2) is CLIPImageProcessor's offset; padding puts the picture at ceil(missing /
  // 2).
  const auto offset = [](int have, int wanted) {
    return have >= wanted ? (have - wanted) / 2 : -((wanted - have + 1) / 2);
  };
  paste(part, source, -offset(source.width, width), -offset(source.height, height));
  return part;
}

void paste(Image& canvas, const Image& patch, int left, int top) {
  if (canvas.channels != patch.channels) {
    throw std::invalid_argument(
        fmt::format("paste of {} channels into {} channels", patch.channels, canvas.channels));
  }
  const int64_t x0 = std::max(0, left), y0 = std::max(0, top);
  const int64_t x1 = std::min<int64_t>(canvas.width, int64_t{left} + patch.width);
  const int64_t y1 = std::min<int64_t>(canvas.height, int64_t{top} + patch.height);
  if (x0 >= x1) return;
  for (int64_t y = y0; y < y1; ++y) {
    const uint8_t* from = patch.at(static_cast<int>(x0 - left), static_cast<int>(y - top));
    std::copy_n(from, static_cast<size_t>(x1 - x0) * pixel_bytes(patch),
                canvas.at(static_cast<int>(x0), static_cast<int>(y)));
  }
}

Image oriented(const Image& source, Orientation orientation) {
  if (orientation == Orientation::Upright) return source;
  const bool swaps = orientation >= Orientation::Transpose;
  Image upright(swaps ? source.height : source.width, swaps ? source.width : source.height, source.channels);
  for (int y = 0; y < upright.height; ++y) {
    for (int x = 0; x < upright.width; ++x) {
      const auto [from_x, from_y] = stored_position(orientation, x, y, source.width, source.height);
      std::copy_n(source.at(from_x, from_y), pixel_bytes(source), upright.at(x, y));
    }
  }
  return upright;
}

Image grid(std::span<const Image> images, const GridOptions& options) {
  if (images.empty() || options.columns < 1 || options.padding < 0) {
    throw std::invalid_argument(fmt::format("a grid of {} pictures in {} columns with padding {}",
                                            images.size(), options.columns, options.padding));
  }
  int cell_width = 0, cell_height = 0;
  for (const Image& picture : images) {
    cell_width = std::max(cell_width, picture.width);
    cell_height = std::max(cell_height, picture.height);
  }
  const int columns = static_cast<int>(std::min(images.size(), static_cast<size_t>(options.columns)));
  const int rows =
      static_cast<int>((images.size() + static_cast<size_t>(columns) - 1) / static_cast<size_t>(columns));
  const int step_x = cell_width + options.padding, step_y = cell_height + options.padding;
  Image sheet =
      filled(columns * step_x + options.padding, rows * step_y + options.padding, options.background);
  for (size_t i = 0; i < images.size(); ++i) {
    const int column = static_cast<int>(i % static_cast<size_t>(columns));
    const int row = static_cast<int>(i / static_cast<size_t>(columns));
    paste(sheet, images[i], options.padding + column * step_x, options.padding + row * step_y);
  }
  return sheet;
}

Image hconcat(std::span<const Image> images, int padding, Rgb background) {
  return grid(images,
              {.columns = static_cast<int>(images.size()), .padding = padding, .background = background});
}

}  // namespace zt::image
