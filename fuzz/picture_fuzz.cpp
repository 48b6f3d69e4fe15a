// SPDX-License-Identifier: Apache-2.0
// PNG, JPEG and WebP. The pixel limit keeps one input fast.
#include "image/file.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  zt::image::ReadOptions options;
  options.max_pixels = 1 << 18;
  options.apply_exif_orientation = true;
  static_cast<void>(zt::image::decode(zt::fuzz::bytes_of(data, size), "input", options));
  return 0;
}
