// SPDX-License-Identifier: Apache-2.0
// Made-up clips for tests of video files, and the ffmpeg program as the other implementation to compare with.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "image/image.hpp"

namespace zt::test {

/// Smooth colours that drift, without any symmetry; every frame differs from every other. `t` is the frame's
/// number.
inline image::Image drifting_frame(int width, int height, int t) {
  image::Image picture(width, height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const double u = (x + 1.5 * t) / width, v = (y + 0.5 * t) / height;
      uint8_t* pixel = picture.at(x, y);
      pixel[0] = static_cast<uint8_t>(128 + 100 * std::sin(3.1 * u + 0.2));
      pixel[1] = static_cast<uint8_t>(128 + 100 * std::sin(2.3 * v + 1.1 * u));
      pixel[2] = static_cast<uint8_t>(110 + 70 * std::cos(1.7 * u - v) + 2 * (t % 30));
    }
  }
  return picture;
}

inline std::vector<image::Image> drifting_clip(int width, int height, int num_frames) {
  std::vector<image::Image> clip;
  for (int t = 0; t < num_frames; ++t) clip.push_back(drifting_frame(width, height, t));
  return clip;
}

/// 10 log10(255^2 / mean squared difference).
inline double psnr_of(const image::Image& a, const image::Image& b) {
  if (a.width != b.width || a.height != b.height) return -1;
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    const double d = double(a.pixels[i]) - b.pixels[i];
    sum += d * d;
  }
  return sum == 0 ? 200 : 10 * std::log10(255.0 * 255.0 * static_cast<double>(a.pixels.size()) / sum);
}

/// Runs "ffmpeg ARGUMENTS"; true if it succeeded. Names in the arguments must not need quoting.
inline bool run_ffmpeg(const std::string& arguments) {
  return std::system(("ffmpeg -nostdin -v error -y " + arguments + " >/dev/null 2>&1").c_str()) == 0;
}

/// The standard output of a command.
inline std::string output_of(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen((command + " 2>/dev/null").c_str(), "r");
  if (!pipe) return output;
  char buffer[4096];
  while (const size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, n);
  ::pclose(pipe);
  return output;
}

}  // namespace zt::test
