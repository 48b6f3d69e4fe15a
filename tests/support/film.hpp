// SPDX-License-Identifier: Apache-2.0
// Long footage as ingest leaves it: one file, whose shots are the clips of an index.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "data/clip_index.hpp"
#include "data/content_digest.hpp"
#include "media/video_writer.hpp"
#include "support/puppet_clips.hpp"

namespace zt::test {

/// Writes film.mp4 of noise, 160 x 120 and 4 shots of 24 pictures, with its index. It takes megabytes, so
/// that reading it again shows beside what a reader takes at once. `gop`: pictures between keyframes.
inline data::ClipIndex write_film(const std::filesystem::path& folder, int gop) {
  constexpr int kShots = 4, kFrames = 24, kWidth = 160, kHeight = 120;
  std::vector<image::Image> pictures;
  uint32_t noise = 1;
  for (int t = 0; t < kShots * kFrames; ++t) {
    image::Image picture(kWidth, kHeight);
    for (uint8_t& value : picture.pixels) {
      noise = noise * 1664525 + 1013904223;
      value = static_cast<uint8_t>(noise >> 24);
    }
    pictures.push_back(std::move(picture));
  }
  media::VideoWriterOptions options{
      .width = kWidth, .height = kHeight, .fps = {24, 1}, .crf = 10, .gop = gop};
  expect_ok(media::write_video(folder / "film.mp4", pictures, options));
  data::ClipIndex index{folder, {}, /*has_digests=*/true};
  for (int shot = 0; shot < kShots; ++shot) {
    data::ClipRecord clip;
    clip.id = "film-00" + std::to_string(shot);
    clip.video = "film.mp4";
    clip.content = data::content_digest(folder / clip.video).value();
    clip.first_frame = shot * kFrames;
    clip.num_frames = kFrames;
    clip.width = kWidth;
    clip.height = kHeight;
    index.clips.push_back(clip);
  }
  return index;
}

}  // namespace zt::test
