// SPDX-License-Identifier: Apache-2.0
#include "generate/pipeline/windows.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tensor/require.hpp"

namespace zt::generate {
namespace {

/// The bits of `step` mirrored behind the binary point: 0, 1/2, 1/4, 3/4, 1/8, ... in [0, 1).
double bit_reversed(int64_t step) {
  double fraction = 0, place = 0.5;
  for (auto bits = static_cast<uint64_t>(step); bits != 0; bits >>= 1, place /= 2)
    if ((bits & 1) != 0) fraction += place;
  return fraction;
}

std::vector<int64_t> consecutive(int64_t first, int64_t count) {
  std::vector<int64_t> frames(static_cast<size_t>(count));
  std::iota(frames.begin(), frames.end(), first);
  return frames;
}

void require_sane(const config::ContextJob& context, int64_t num_frames, int64_t step) {
  ZT_REQUIRE(num_frames >= 1 && step >= 0, "num_frames ", num_frames, ", step ", step);
  ZT_REQUIRE(
      context.frames >= 1 && context.stride >= 1 && context.overlap >= 0 && context.overlap < context.frames,
      "context frames ", context.frames, ", stride ", context.stride, ", overlap ", context.overlap);
}

/// Weights of a window that starts at `start`: distance from the nearer border, which the clip's ends are
/// not.
std::vector<float> border_weights(int64_t start, int64_t size, int64_t num_frames) {
  std::vector<float> weights(static_cast<size_t>(size));
  for (int64_t i = 0; i < size; ++i) {
    const int64_t from_left = start == 0 ? size : i + 1;
    const int64_t from_right = start + size == num_frames ? size : size - i;
    weights[static_cast<size_t>(i)] =
        static_cast<float>(std::min(from_left, from_right)) / static_cast<float>(size);
  }
  return weights;
}

std::vector<Window> shifted_windows(const config::ContextJob& context, int64_t num_frames, int64_t step) {
  const int64_t size = std::min(context.frames, num_frames), hop = context.frames - context.overlap;
  const int64_t last_start = num_frames - size;
  const auto shift = static_cast<int64_t>(bit_reversed(step) * static_cast<double>(hop));
  std::vector<Window> windows;
  for (int64_t wanted = -shift;; wanted += hop) {
    const int64_t start = std::clamp<int64_t>(wanted, 0, last_start);
    if (windows.empty() || windows.back().frames.front() != start)
      windows.push_back({consecutive(start, size), border_weights(start, size, num_frames)});
    if (start == last_start) return windows;
  }
}

}  // namespace

std::vector<std::vector<int64_t>> uniform_windows(const config::ContextJob& context, int64_t num_frames,
                                                  int64_t step) {
  require_sane(context, num_frames, step);
  if (num_frames <= context.frames) return {consecutive(0, num_frames)};
  const double ratio = static_cast<double>(num_frames) / static_cast<double>(context.frames);
  const int64_t levels = std::min(context.stride, static_cast<int64_t>(std::ceil(std::log2(ratio))) + 1);
  const double share = bit_reversed(step);
  // Python's round: half to even, which nearbyint does in the default rounding mode.
  const auto pad = static_cast<int64_t>(std::nearbyint(static_cast<double>(num_frames) * share));
  const int64_t end = num_frames + pad - (context.closed_loop ? 0 : context.overlap);

  std::vector<std::vector<int64_t>> windows;
  for (int64_t level = 0; level < levels; ++level) {
    const int64_t stride = int64_t{1} << level;
    const int64_t hop = context.frames * stride - context.overlap;
    const int64_t begin = static_cast<int64_t>(share * static_cast<double>(stride)) + pad;
    for (int64_t start = begin; start < end; start += hop) {
      auto& window = windows.emplace_back();
      for (int64_t i = 0; i < context.frames; ++i) window.push_back((start + i * stride) % num_frames);
    }
  }
  return windows;
}

std::vector<Window> plan_windows(const config::ContextJob& context, int64_t num_frames, int64_t step) {
  require_sane(context, num_frames, step);
  if (context.mode == config::ContextMode::Better) return shifted_windows(context, num_frames, step);
  std::vector<Window> windows;
  for (auto& frames : uniform_windows(context, num_frames, 0)) {
    const std::vector<float> weights(frames.size(), 1.0F);
    windows.push_back({std::move(frames), weights});
  }
  return windows;
}

}  // namespace zt::generate
