// SPDX-License-Identifier: Apache-2.0
#include "media/video_info.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "media/internal/input.hpp"

namespace zt::media {
namespace {

using internal::Input;

// Decodes everything and fills in what only that shows.
Status count_frames(Input& input, const std::filesystem::path& path, VideoInfo& info, ReadReport& report) {
  int64_t shortest = std::numeric_limits<int64_t>::max(), longest = 0, last = AV_NOPTS_VALUE;
  for (;;) {
    ZT_TRY_ASSIGN(const AVFrame* frame, input.next_frame(report));
    if (!frame) break;
    ++report.frames;
    const int64_t time = frame->best_effort_timestamp;
    if (time != AV_NOPTS_VALUE && last != AV_NOPTS_VALUE) {
      shortest = std::min(shortest, time - last);
      longest = std::max(longest, time - last);
    }
    last = time;
  }
  if (report.frames == 0) {
    return fail(ErrorCode::Corrupt, fmt::format("no picture of video {} can be decoded", path.string()));
  }
  info.is_counted = true;
  info.num_frames = report.frames;
  info.corrupt_frames = report.corrupt_frames;
  info.is_truncated = report.is_truncated;
  info.is_variable_rate = longest > 0 && longest - shortest > 1;  // one tick is rounding
  return {};
}

}  // namespace

Result<VideoInfo> probe(const std::filesystem::path& path, const ProbeOptions& options) {
  ReadReport report;
  ZT_TRY_ASSIGN(Input input,
                Input::open(path, {.thread_count = 1, .max_pixels = options.max_pixels}, report));
  VideoInfo info = input.header_info();
  if (options.count_frames) ZT_TRY(count_frames(input, path, info, report));
  if (info.orientation >= image::Orientation::Transpose) std::swap(info.width, info.height);
  info.notes = std::move(report.notes);
  return info;
}

}  // namespace zt::media
