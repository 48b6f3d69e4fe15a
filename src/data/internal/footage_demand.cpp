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

FootageExtents::Video extent_of(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    const auto info = media::probe(path);
    return info ? FootageExtents::Video{info->width, info->height, info->num_frames}
                : FootageExtents::Video{};
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

std::string threads_text(size_t threads) {
  return threads == 1 ? "1 thread" : fmt::format("{} threads", threads);
}

}  // namespace

FootageExtents extents_of(std::span<const fs::path> videos, size_t num_threads) {
  FootageExtents footage{.videos = {}, .num_threads = std::min(num_threads, videos.size())};
  const size_t stride = std::max<size_t>(1, videos.size() / kProbes);
  for (size_t i = 0; i < videos.size(); i += stride) footage.videos.push_back(extent_of(videos[i]));
  return footage;
}

resources::Demand decoding_demand(const FootageExtents& footage) {
  FootageExtents::Video largest;
  std::vector<uint64_t> pixels;
  for (const FootageExtents::Video& video : footage.videos) {
    pixels.push_back(static_cast<uint64_t>(video.width * video.height));
    if (video.width * video.height > largest.width * largest.height) largest = video;
  }
  return {fmt::format("decoding pictures of up to {} x {} on {} (30 B a pixel, estimate)", largest.width,
                      largest.height, threads_text(footage.num_threads)),
          sum_of_largest(std::move(pixels), footage.num_threads) * kBytesPerPixel};
}

std::vector<resources::Demand> searching_demands(const FootageExtents& footage, int64_t num_people) {
  std::vector<uint64_t> frames;
  for (const FootageExtents::Video& video : footage.videos)
    frames.push_back(static_cast<uint64_t>(video.num_frames));
  const uint64_t num_frames = sum_of_largest(std::move(frames), footage.num_threads);
  const auto followed = static_cast<uint64_t>(num_people + kExtraTracks);
  const std::string threads = threads_text(footage.num_threads);
  return {{"the pose networks on " + threads, footage.num_threads * kNetworkBytes},
          {fmt::format("{} people in {} frames on {} (2 KiB each)", followed, num_frames, threads),
           num_frames * followed * kPersonBytes}};
}

}  // namespace zt::data::internal
