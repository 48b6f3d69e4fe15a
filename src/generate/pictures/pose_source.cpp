// SPDX-License-Identifier: Apache-2.0
#include "generate/pictures/pose_source.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <utility>

#include "config/paths.hpp"
#include "image/resize.hpp"
#include "media/video_reader.hpp"

namespace zt::generate {
PoseSource PoseSource::of(data::KeypointClip clip, const data::DrawOptions& draw) {
  const auto num_frames = static_cast<int64_t>(clip.frames.size());
  const media::Rational fps{clip.fps_num, clip.fps_den};
  PoseSource source(std::move(clip), draw);
  source.num_frames_ = num_frames;
  source.fps_ = fps;
  return source;
}

Result<PoseSource> PoseSource::open(const std::filesystem::path& path, const data::DrawOptions& draw) {
  if (config::holds_keypoints(path)) {
    ZT_TRY_ASSIGN(data::KeypointClip clip, data::read_keypoints(path));
    if (clip.frames.empty())
      return fail(ErrorCode::InvalidArgument, fmt::format("{} holds no frame", path.string()));
    return of(std::move(clip), draw);
  }
  ZT_TRY_ASSIGN(const media::VideoInfo info, media::probe(path, {.count_frames = true}));
  ZT_TRY(media::require_whole(path, info));
  ZT_TRY_ASSIGN(data::FrameSource frames, data::FrameSource::open(path));
  PoseSource source(std::move(frames), draw);
  source.num_frames_ = info.num_frames;
  source.fps_ = info.fps;
  return source;
}

const data::KeypointClip* PoseSource::keypoints() const { return std::get_if<data::KeypointClip>(&source_); }

Result<std::vector<image::Image>> PoseSource::pictures(std::span<const int64_t> frames,
                                                       const Canvas& canvas) {
  std::vector<image::Image> pictures;
  if (const auto* clip = keypoints()) {
    for (const int64_t frame : frames)
      pictures.push_back(
          data::draw_pose(clip->frames[static_cast<size_t>(frame)], canvas.width, canvas.height, draw_));
    return pictures;
  }
  ZT_TRY_ASSIGN(pictures, std::get<data::FrameSource>(source_).frames(frames));
  for (image::Image& picture : pictures)
    picture = image::resize(picture, canvas.width, canvas.height, image::Filter::Lanczos);
  return pictures;
}

PoseFrames PoseSource::frames(const Canvas& canvas) {
  return [this, canvas](std::span<const int64_t> wanted) -> Result<at::Tensor> {
    ZT_TRY_ASSIGN(const std::vector<image::Image> drawn, pictures(wanted, canvas));
    return place_poses(canvas, drawn).unsqueeze(0);
  };
}

}  // namespace zt::generate
