// SPDX-License-Identifier: Apache-2.0
#include "image/resize.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <stdexcept>
#include <vector>

namespace zt::image {
namespace {

// Weights are integers in units of 2^-22: 8 bits of value and 2 of headroom for overshoot fit in 32 with
// them.
constexpr int kPrecisionBits = 32 - 8 - 2;

struct Kernel {
  double support;  // half width at scale 1
  double (*weight)(double);
};

double bilinear_weight(double x) {
  x = std::abs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

double bicubic_weight(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos_weight(double x) { return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

Kernel kernel_of(Filter filter) {
  switch (filter) {
    case Filter::Bilinear:
      return {1.0, bilinear_weight};
    case Filter::Bicubic:
      return {2.0, bicubic_weight};
    case Filter::Lanczos:
      return {3.0, lanczos_weight};
    case Filter::Nearest:
      break;
  }
  throw std::invalid_argument("a filter without weights");
}

// For each place of the result: which source places it is made of, and their weights.
struct Taps {
  int size = 0;  // weights kept per place
  std::vector<int> first;
  std::vector<int> count;
  std::vector<int32_t> weights;
};

Taps make_taps(int in_size, float in_from, float in_to, int out_size, const Kernel& kernel) {
  // Pillow subtracts in float and goes on in double.
  const double scale = static_cast<double>(in_to - in_from) / out_size;
  const double filter_scale = std::max(scale, 1.0);
  const double support = kernel.support * filter_scale;
  Taps taps;
  taps.size = static_cast<int>(std::ceil(support)) * 2 + 1;
  taps.first.resize(static_cast<size_t>(out_size));
  taps.count.resize(static_cast<size_t>(out_size));
  taps.weights.resize(static_cast<size_t>(out_size) * static_cast<size_t>(taps.size));
  std::vector<double> row(static_cast<size_t>(taps.size));
  for (int i = 0; i < out_size; ++i) {
    const double center = static_cast<double>(in_from) + (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - support + 0.5));
    const int count = std::min(in_size, static_cast<int>(center + support + 0.5)) - first;
    double sum = 0.0;
    for (int k = 0; k < count; ++k) {
      row[static_cast<size_t>(k)] = kernel.weight((k + first - center + 0.5) * (1.0 / filter_scale));
      sum += row[static_cast<size_t>(k)];
    }
    int32_t* weights = &taps.weights[static_cast<size_t>(i) * static_cast<size_t>(taps.size)];
    for (int k = 0; k < count; ++k) {
      double weight = row[static_cast<size_t>(k)];
      if (sum != 0.0) weight /= sum;
      weights[k] = static_cast<int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << kPrecisionBits));
    }
    taps.first[static_cast<size_t>(i)] = first;
    taps.count[static_cast<size_t>(i)] = count;
  }
  return taps;
}

uint8_t round_to_byte(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255)); }

// Rows [first_row, first_row + num_rows) of the source, scaled to `width`.
template <int kChannels>
Image scale_columns(const Image& source, int first_row, int num_rows, int width, const Taps& taps) {
  Image result(width, num_rows, kChannels);
  for (int y = 0; y < num_rows; ++y) {
    const uint8_t* from = source.row(first_row + y);
    uint8_t* to = result.row(y);
    for (int x = 0; x < width; ++x, to += kChannels) {
      const auto place = static_cast<size_t>(x);
      const int32_t* weights = &taps.weights[place * static_cast<size_t>(taps.size)];
      const uint8_t* pixel = from + taps.first[place] * kChannels;
      int32_t sums[kChannels];
      std::fill_n(sums, kChannels, 1 << (kPrecisionBits - 1));
      for (int k = 0; k < taps.count[place]; ++k, pixel += kChannels) {
        for (int c = 0; c < kChannels; ++c) sums[c] += pixel[c] * weights[k];
      }
      for (int c = 0; c < kChannels; ++c) to[c] = round_to_byte(sums[c]);
    }
  }
  return result;
}

// `row_offset`: the source's row 0 is row `row_offset` in the taps' numbering.
Image scale_rows(const Image& source, int row_offset, int height, const Taps& taps) {
  Image result(source.width, height, source.channels);
  const size_t row_bytes = source.row_bytes();
  std::vector<int32_t> sums(row_bytes);
  for (int y = 0; y < height; ++y) {
    const auto place = static_cast<size_t>(y);
    std::fill(sums.begin(), sums.end(), 1 << (kPrecisionBits - 1));
    for (int k = 0; k < taps.count[place]; ++k) {
      const uint8_t* from = source.row(taps.first[place] - row_offset + k);
      const int32_t weight = taps.weights[place * static_cast<size_t>(taps.size) + static_cast<size_t>(k)];
      for (size_t i = 0; i < row_bytes; ++i) sums[i] += from[i] * weight;
    }
    std::transform(sums.begin(), sums.end(), result.row(y), round_to_byte);
  }
  return result;
}

// Positions are summed step by step, as Pillow does, so that rounding falls the same way.
std::vector<int> nearest_positions(int in_size, float in_from, float in_to, int out_size) {
  const double step = static_cast<double>(in_to - in_from) / out_size;
  std::vector<int> positions(static_cast<size_t>(out_size));
  double position = static_cast<double>(in_from) + step * 0.5;
  for (int& p : positions) {
    p = std::clamp(static_cast<int>(position), 0, in_size - 1);
    position += step;
  }
  return positions;
}

struct FloatBox {
  float left, top, right, bottom;
};

Image resize_nearest(const Image& source, const FloatBox& box, int width, int height) {
  const std::vector<int> columns = nearest_positions(source.width, box.left, box.right, width);
  const std::vector<int> rows = nearest_positions(source.height, box.top, box.bottom, height);
  Image result(width, height, source.channels);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      std::copy_n(source.at(columns[static_cast<size_t>(x)], rows[static_cast<size_t>(y)]),
                  static_cast<size_t>(source.channels), result.at(x, y));
    }
  }
  return result;
}

FloatBox checked_box(const Image& source, const Box& box, int width, int height) {
  const FloatBox rounded{static_cast<float>(box.left), static_cast<float>(box.top),
                         static_cast<float>(box.right), static_cast<float>(box.bottom)};
  const bool inside = rounded.left >= 0 && rounded.top >= 0 &&
                      rounded.right <= static_cast<float>(source.width) &&
                      rounded.bottom <= static_cast<float>(source.height);
  if (!inside || !(rounded.left < rounded.right) || !(rounded.top < rounded.bottom) || width < 1 ||
      height < 1 || source.empty()) {
    throw std::invalid_argument(
        fmt::format("resize of box ({}, {}, {}, {}) in a picture of {} x {} to {} x {}", box.left, box.top,
                    box.right, box.bottom, source.width, source.height, width, height));
  }
  return rounded;
}

}  // namespace

Image resize(const Image& source, int width, int height, Filter filter) {
  return resize_box(source, {0, 0, static_cast<double>(source.width), static_cast<double>(source.height)},
                    width, height, filter);
}

Image resize_box(const Image& source, const Box& box, int width, int height, Filter filter) {
  const FloatBox b = checked_box(source, box, width, height);
  const bool keeps_columns = width == source.width && b.left == 0 && b.right == static_cast<float>(width);
  const bool keeps_rows = height == source.height && b.top == 0 && b.bottom == static_cast<float>(height);
  if (keeps_columns && keeps_rows) return source;
  if (filter == Filter::Nearest) return resize_nearest(source, b, width, height);

  const Kernel kernel = kernel_of(filter);
  const Taps rows = make_taps(source.height, b.top, b.bottom, height, kernel);
  if (keeps_columns) return scale_rows(source, 0, height, rows);
  const Taps columns = make_taps(source.width, b.left, b.right, width, kernel);
  // Only the rows that the vertical pass will read.
  const int first_row = rows.first.front();
  const int num_rows = rows.first.back() + rows.count.back() - first_row;
  Image narrow = source.channels == 3 ? scale_columns<3>(source, first_row, num_rows, width, columns)
                                      : scale_columns<1>(source, first_row, num_rows, width, columns);
  return keeps_rows ? narrow : scale_rows(narrow, first_row, height, rows);
}

Image resize_shortest_edge(const Image& source, int shortest, Filter filter) {
  const int64_t w = source.width, h = source.height;
  const int64_t short_side = std::max<int64_t>(1, std::min(w, h));
  const auto longer = static_cast<int>(shortest * std::max(w, h) / short_side);
  return w <= h ? resize(source, shortest, longer, filter) : resize(source, longer, shortest, filter);
}

}  // namespace zt::image
