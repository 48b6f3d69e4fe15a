// SPDX-License-Identifier: Apache-2.0
// A small set of real clips on disk, with an index: mp4 pairs and key-points.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "data/clip_index.hpp"
#include "data/keypoints/keypoints.hpp"
#include "media/video_writer.hpp"
#include "support/clips.hpp"

namespace zt::test {

/// One person whose nose is at x = frame / 100, its neck below.
inline data::KeypointClip moving_keypoints(int width, int height, int num_frames) {
  data::KeypointClip clip;
  clip.width = width;
  clip.height = height;
  clip.fps_num = 12;
  clip.source = "test";
  for (int t = 0; t < num_frames; ++t) {
    data::Person person;
    person.at(data::BodyPart::Nose) = {0.01F * static_cast<float>(t), 0.25F, 1.0F};
    person.at(data::BodyPart::Neck) = {0.01F * static_cast<float>(t), 0.5F, 1.0F};
    clip.frames.push_back({{person}});
  }
  return clip;
}

/// Writes `count` clips "clip-0".. of drifting colours: clip-K.mp4, clip-K_pose.mp4 and clip-K.jsonl in
/// `folder`. Clip k starts at frame 40 k of drifting_frame(); its pose video is half as large and starts 7
/// frames later.
inline data::ClipIndex write_clip_set(const std::filesystem::path& folder, int count, int num_frames,
                                      int side = 32) {
  data::ClipIndex index;
  index.root = folder;
  for (int k = 0; k < count; ++k) {
    const std::string id = "clip-" + std::to_string(k);
    std::vector<image::Image> pictures, poses;
    for (int t = 0; t < num_frames; ++t) {
      pictures.push_back(drifting_frame(side, side, 40 * k + t));
      poses.push_back(drifting_frame(side / 2, side / 2, 40 * k + t + 7));
    }
    media::VideoWriterOptions options;
    options.width = options.height = side;
    options.fps = {12, 1};
    options.crf = 4;
    EXPECT_TRUE(media::write_video(folder / (id + ".mp4"), pictures, options));
    options.width = options.height = side / 2;
    EXPECT_TRUE(media::write_video(folder / (id + "_pose.mp4"), poses, options));
    EXPECT_TRUE(data::write_keypoints(folder / (id + ".jsonl"), moving_keypoints(side, side, num_frames)));
    data::ClipRecord clip;
    clip.id = id;
    clip.video = id + ".mp4";
    clip.pose_video = id + "_pose.mp4";
    clip.keypoints = id + ".jsonl";
    clip.split = "train";
    clip.num_frames = num_frames;
    clip.width = clip.height = side;
    clip.pose_width = clip.pose_height = side / 2;
    clip.fps_num = 12;
    index.clips.push_back(clip);
  }
  return index;
}

}  // namespace zt::test
