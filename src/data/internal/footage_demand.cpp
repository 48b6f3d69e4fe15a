// SPDX-License-Identifier: Apache-2.0
#include "data/internal/footage_demand.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>
#include <system_error>
#include <utility>

#include "data/sample/frame_source.hpp"
#include "image/file.hpp"
#include "media/video_info.hpp"

namespace zt::data::internal {
namespace {

namespace fs = std::filesystem;

constexpr size_t kProbes = 16;
constexpr uint64_t kBytesPerPixel = 30;
constexpr uint64_t kNetworkBytes = uint64_t{128} << 20;
constexpr uint64_t kPersonBytes = 2 << 10;
constexpr int64_t kExtraTracks = 3;

struct Extent {
  int64_t width = 0;
  int64_t height = 0;
  int64_t num_frames = 0;
};

Extent extent_of(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    const auto info = media::probe(path);
    return info ? Extent{info->width, info->height, info->num_frames} : Extent{};
  }
  const auto files = list_frames(path);
  if (!files) return {};
  const auto first = image::read(files->front());
  if (!first) return {};
  return {first->width, first->height, static_cast<int64_t>(files->size())};
}

// What the threads need together when the most demanding videos meet; repeats where fewer were looked at.
uint64_t sum_of_largest(std::vector<uint64_t> values, size_t num_threads) {
  std::sort(values.begin(), values.end(), std::greater());
  uint64_t sum = 0;
  for (size_t i = 0; i < num_threads && !values.empty(); ++i) sum += values[i % values.size()];
  return sum;
}

// Of every so many of the videos.
std::vector<Extent> sampled_extents(std::span<const fs::path> videos) {
  std::vector<Extent> extents;
  const size_t stride = std::max<size_t>(1, videos.size() / kProbes);
  for (size_t i = 0; i < videos.size(); i += stride) extents.push_back(extent_of(videos[i]));
  return extents;
}

size_t busy_threads(const FootageWork& work) { return std::min(work.num_threads, work.videos.size()); }

std::string threads_text(size_t threads) {
  return threads == 1 ? "1 thread" : fmt::format("{} threads", threads);
}

}  // namespace

resources::Demand decoding_demand(const FootageWork& work) {
  Extent largest;
  std::vector<uint64_t> pixels;
  for (const Extent& extent : sampled_extents(work.videos)) {
    pixels.push_back(static_cast<uint64_t>(extent.width * extent.height));
    if (extent.width * extent.height > largest.width * largest.height) largest = extent;
  }
  const size_t threads = busy_threads(work);
  return {fmt::format("decoding pictures of up to {} x {} on {} (30 B a pixel, estimate)", largest.width,
                      largest.height, threads_text(threads)),
          sum_of_largest(std::move(pixels), threads) * kBytesPerPixel};
}

std::vector<resources::Demand> searching_demands(const FootageWork& work, int64_t num_people) {
  std::vector<uint64_t> frames;
  for (const Extent& extent : sampled_extents(work.videos))
    frames.push_back(static_cast<uint64_t>(extent.num_frames));
  const size_t threads = busy_threads(work);
  const uint64_t num_frames = sum_of_largest(std::move(frames), threads);
  const auto followed = static_cast<uint64_t>(num_people + kExtraTracks);
  return {
      {"the pose networks on " + threads_text(threads), threads * kNetworkBytes},
      {fmt::format("{} people in {} frames on {} (2 KiB each)", followed, num_frames, threads_text(threads)),
       num_frames * followed * kPersonBytes}};
}

}  // namespace zt::data::internal
