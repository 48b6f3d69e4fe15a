// SPDX-License-Identifier: Apache-2.0
#include "data/internal/footage_demand.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>
#include <system_error>

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

}  // namespace

std::vector<resources::Demand> footage_demands(const FootageWork& work) {
  Extent largest;
  std::vector<uint64_t> pixels, frames;
  const size_t stride = std::max<size_t>(1, work.videos.size() / kProbes);
  for (size_t i = 0; i < work.videos.size(); i += stride) {
    const Extent extent = extent_of(work.videos[i]);
    pixels.push_back(static_cast<uint64_t>(extent.width * extent.height));
    frames.push_back(static_cast<uint64_t>(extent.num_frames));
    if (extent.width * extent.height > largest.width * largest.height) largest = extent;
  }
  const size_t threads = std::min(work.num_threads, work.videos.size());
  const std::string where = threads == 1 ? "1 thread" : fmt::format("{} threads", threads);
  std::vector<resources::Demand> demands = {
      {fmt::format("decoding pictures of up to {} x {} on {} (30 B a pixel, estimate)", largest.width,
                   largest.height, where),
       sum_of_largest(pixels, threads) * kBytesPerPixel}};
  if (work.num_people == 0) return demands;
  demands.push_back({"the pose networks on " + where, threads * kNetworkBytes});
  const auto followed = static_cast<uint64_t>(work.num_people + kExtraTracks);
  const uint64_t num_frames = sum_of_largest(frames, threads);
  demands.push_back({fmt::format("{} people in {} frames on {} (2 KiB each)", followed, num_frames, where),
                     num_frames * followed * kPersonBytes});
  return demands;
}

}  // namespace zt::data::internal
