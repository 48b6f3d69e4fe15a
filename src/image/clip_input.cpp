// SPDX-License-Identifier: Apache-2.0
#include "image/clip_input.hpp"

#include <stdexcept>

#include "image/resize.hpp"

namespace zt::image {

std::vector<float> clip_input(const Image& source, const ClipInputOptions& options) {
  if (source.channels != 3) throw std::invalid_argument("CLIP reads pictures with 3 channels");
  const Image square = options.fit == ClipFit::Squash
                           ? resize(source, options.size, options.size, Filter::Bicubic)
                           : center_crop(resize_shortest_edge(source, options.size, Filter::Bicubic),
                                         options.size, options.size);

  const size_t num_pixels = static_cast<size_t>(square.width) * static_cast<size_t>(square.height);
  std::vector<float> numbers(3 * num_pixels);
  for (size_t c = 0; c < 3; ++c) {
    for (size_t i = 0; i < num_pixels; ++i) {
      const float value = static_cast<float>(square.pixels[3 * i + c]) / 255.0F;
      numbers[c * num_pixels + i] = (value - options.mean[c]) / options.std[c];
    }
  }
  return numbers;
}

}  // namespace zt::image
