// SPDX-License-Identifier: Apache-2.0
// See dynamic_map.hpp. The map is that of "8-bit approximations for parallelism in deep learning" (Dettmers
// 2016).
#include "optim/internal/dynamic_map.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace zt::optim::internal {
namespace {

// Point j of `count` + 1 points from 0.1 to 1, rounded as torch.linspace rounds in fp32: from the nearer end.
float linspace_point(int j, int count) {
  const float step = (1.0f - 0.1f) / static_cast<float>(count);
  if (j < (count + 1) / 2) return std::fma(step, static_cast<float>(j), 0.1f);
  return std::fma(-step, static_cast<float>(count - j), 1.0f);
}

}  // namespace

DynamicMap::DynamicMap(bool is_signed) {
  std::vector<float> points = {0.0f, 1.0f};
  for (int exponent = 0; exponent < 7; ++exponent) {
    const float scale = static_cast<float>(std::pow(10.0, exponent - 6));
    const int count = 1 << (is_signed ? exponent : exponent + 1);
    for (int j = 0; j < count; ++j) {
      const float middle = (linspace_point(j, count) + linspace_point(j + 1, count)) / 2.0f;
      points.push_back(scale * middle);
      if (is_signed) points.push_back(-scale * middle);
    }
  }
  std::sort(points.begin(), points.end());
  std::copy(points.begin(), points.end(), values.begin());

  size_t code = 0;
  for (size_t cell = 0; cell < codes.size(); ++cell) {
    const float middle = -1.0f + 2.0f * static_cast<float>(cell) / 65535.0f;
    while (code < 255 && 0.5f * (values[code] + values[code + 1]) < middle) ++code;
    codes[cell] = static_cast<uint8_t>(code);
  }
}

const DynamicMap& signed_map() {
  static const DynamicMap map(true);
  return map;
}

const DynamicMap& unsigned_map() {
  static const DynamicMap map(false);
  return map;
}

}  // namespace zt::optim::internal
