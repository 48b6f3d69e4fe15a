// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "data/ingest/inspect.hpp"
#include "data/keypoints/draw_pose.hpp"
#include "data/keypoints/keypoints.hpp"
#include "data/sample/frame_source.hpp"
#include "image/draw.hpp"
#include "image/resize.hpp"

namespace zt::data {
namespace {

using image::Image;
using image::Rgb;

constexpr int kGap = 4;
constexpr int kLine = 12;  // height of a line of text with some air
constexpr Rgb kPaper{32, 34, 40}, kInk{225, 225, 225}, kAlarm{255, 120, 100};

std::vector<int64_t> spread(int64_t first, int64_t count, int wanted) {
  std::vector<int64_t> numbers;
  const int64_t shown = std::min<int64_t>(wanted, count);
  for (int64_t i = 0; i < shown; ++i)
    numbers.push_back(first + (shown > 1 ? i * (count - 1) / (shown - 1) : 0));
  return numbers;
}

Image fitted(const Image& picture, int tile) {
  const double scale = static_cast<double>(tile) / std::max(picture.width, picture.height);
  const auto scaled = [&](int side) { return std::max(1, static_cast<int>(std::lround(side * scale))); };
  return image::resize(picture, scaled(picture.width), scaled(picture.height), image::Filter::Bicubic);
}

Result<std::vector<Image>> read_frames(const std::filesystem::path& path,
                                       const std::vector<int64_t>& numbers) {
  ZT_TRY_ASSIGN(FrameSource source, FrameSource::open(path));
  return source.frames(numbers);
}

// Empty if the clip has no pose.
Result<std::vector<Image>> read_poses(const ClipIndex& index, const ClipRecord& clip,
                                      const std::vector<int64_t>& numbers) {
  if (clip.keypoints.empty()) {
    if (clip.pose_video.empty()) return std::vector<Image>();
    return read_frames(index.path(clip.pose_video), numbers);
  }
  ZT_TRY_ASSIGN(const KeypointClip keypoints, read_keypoints(index.path(clip.keypoints)));
  std::vector<Image> poses;
  for (const int64_t number : numbers) {
    if (number >= static_cast<int64_t>(keypoints.frames.size()))
      return fail(ErrorCode::Corrupt, fmt::format("{} has no frame {}", clip.keypoints, number));
    poses.push_back(draw_pose(keypoints.frames[static_cast<size_t>(number)], clip.width, clip.height,
                              {.style = PoseStyle::Puppet, .all_people = true}));
  }
  return poses;
}

void paste_row(Image& strip, const std::vector<Image>& pictures, int top, int tile) {
  int left = kGap;
  for (const Image& picture : pictures) {
    image::paste(strip, fitted(picture, tile), left, top);
    left += tile + kGap;
  }
}

// The clip's part of the sheet.
Image draw_strip(const ClipIndex& index, const ClipRecord& clip, const SheetOptions& options) {
  const int width = options.frames * (options.tile + kGap) + kGap;
  const std::string title = fmt::format("{}  {}  {} x {}  {} frames", clip.id, clip.split, clip.width,
                                        clip.height, clip.num_frames);
  const std::vector<int64_t> numbers = spread(clip.first_frame, clip.num_frames, options.frames);
  const auto pictures = read_frames(index.path(clip.video), numbers);
  const auto poses = read_poses(index, clip, numbers);
  if (!pictures || !poses) {
    Image strip = image::filled(width, 2 * kLine + kGap, kPaper);
    image::text(strip, {kGap, kGap}, title, kInk);
    image::text(strip, {kGap, kGap + kLine}, (pictures ? poses : pictures).error().text(), kAlarm);
    return strip;
  }
  const int row = fitted(pictures->front(), options.tile).height;
  const int pose_row = poses->empty() ? 0 : fitted(poses->front(), options.tile).height + kGap;
  Image strip = image::filled(width, kGap + kLine + row + kGap + pose_row, kPaper);
  image::text(strip, {kGap, kGap}, title, kInk);
  paste_row(strip, *pictures, kGap + kLine, options.tile);
  paste_row(strip, *poses, kGap + kLine + row + kGap, options.tile);
  return strip;
}

}  // namespace

Result<Image> contact_sheet(const ClipIndex& index, const SheetOptions& options) {
  if (index.clips.empty())
    return fail(ErrorCode::InvalidArgument, "the index holds no clip: there is nothing to draw");
  std::vector<Image> strips;
  int height = 0;
  const int shown = static_cast<int>(std::min(options.max_clips, index.clips.size()));
  for (const int64_t i : spread(0, static_cast<int64_t>(index.clips.size()), shown)) {
    strips.push_back(draw_strip(index, index.clips[static_cast<size_t>(i)], options));
    height += strips.back().height;
  }
  Image sheet(strips.front().width, height);
  int top = 0;
  for (const Image& strip : strips) {
    image::paste(sheet, strip, 0, top);
    top += strip.height;
  }
  return sheet;
}

}  // namespace zt::data
