// SPDX-License-Identifier: Apache-2.0
#include "data/keypoints/pose_demand.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "media/video_info.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;

/// Headers read: enough for the mean of a collection of one kind.
constexpr size_t kProbes = 16;
constexpr double kPersonBytes = 3 * 1024;
constexpr double kPreviewBytesPerPixel = 1.0 / 8;

double size_of(const fs::path& file) {
  std::error_code error;
  const auto size = fs::file_size(file, error);
  return error ? 0 : static_cast<double>(size);
}

}  // namespace

resources::Demand pose_demand(std::span<const fs::path> videos, int64_t num_people, bool has_previews) {
  double bytes = 0, probed_bytes = 0, frames = 0, pixels = 0;
  for (const fs::path& video : videos) bytes += size_of(video);
  const size_t stride = std::max<size_t>(1, videos.size() / kProbes);
  for (size_t i = 0; i < videos.size(); i += stride) {
    const auto info = media::probe(videos[i]);
    if (!info || info->num_frames <= 0) continue;
    const auto num_frames = static_cast<double>(info->num_frames);
    probed_bytes += size_of(videos[i]);
    frames += num_frames;
    pixels += num_frames * info->width * info->height;
  }
  const double share = probed_bytes > 0 ? bytes / probed_bytes : 0;
  const double keypoints = frames * share * static_cast<double>(num_people) * kPersonBytes;
  const double previews = has_previews ? pixels * share * kPreviewBytesPerPixel : 0;
  return {fmt::format("key-points of about {:.0f} frames of {} videos (3 KiB for each of {} people){}",
                      frames * share, videos.size(), num_people,
                      has_previews ? ", and previews (a bit a pixel)" : ""),
          static_cast<uint64_t>(keypoints + previews)};
}

}  // namespace zt::data
