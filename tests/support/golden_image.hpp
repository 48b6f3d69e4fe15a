// SPDX-License-Identifier: Apache-2.0
// Pictures out of .golden files (H x W x 3 or H x W, u8), and a comparison that says where pictures differ.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "image/image.hpp"
#include "support/golden.hpp"

namespace zt::test {

inline image::Image golden_image(const Golden& golden, const std::string& name) {
  const auto& shape = golden.shape(name);
  image::Image picture(static_cast<int>(shape.at(1)), static_cast<int>(shape.at(0)),
                       shape.size() == 3 ? static_cast<int>(shape[2]) : 1);
  picture.pixels = golden.values<uint8_t>(name);
  return picture;
}

/// Equal within `tolerance` grey levels in every channel of every pixel.
inline ::testing::AssertionResult same_picture(const image::Image& found, const image::Image& wanted,
                                               int tolerance = 0) {
  if (found.width != wanted.width || found.height != wanted.height || found.channels != wanted.channels) {
    return ::testing::AssertionFailure()
           << found.width << " x " << found.height << " x " << found.channels << " instead of "
           << wanted.width << " x " << wanted.height << " x " << wanted.channels;
  }
  size_t differing = 0, first = 0;
  int largest = 0;
  for (size_t i = 0; i < found.pixels.size(); ++i) {
    const int difference = std::abs(int{found.pixels[i]} - int{wanted.pixels[i]});
    if (difference <= tolerance) continue;
    if (differing++ == 0) first = i;
    largest = std::max(largest, difference);
  }
  if (differing == 0) return ::testing::AssertionSuccess();
  const size_t pixel = first / static_cast<size_t>(found.channels), width = static_cast<size_t>(found.width);
  return ::testing::AssertionFailure()
         << differing << " of " << found.pixels.size() << " values differ by up to " << largest
         << ", first at x " << pixel % width << ", y " << pixel / width;
}

}  // namespace zt::test
