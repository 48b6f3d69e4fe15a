// SPDX-License-Identifier: Apache-2.0
// Puppet clips as real files with their index, and the settings of networks small enough to train on them in
// seconds.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "data/clip_index.hpp"
#include "data/content_digest.hpp"
#include "data/keypoints/keypoints.hpp"
#include "data/puppet/puppet.hpp"
#include "media/video_writer.hpp"

namespace zt::test {

/// The value of a Result, or an exception that fails the test.
template <class T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return *std::move(result);
}
inline void expect_ok(const Status& status) {
  if (!status) throw std::runtime_error(status.error().text());
}

/// `num_clips` puppets of 32 x 32 pixels and 8 frames, the last two in the split "val". Returns the index
/// file.
inline std::filesystem::path write_puppet_clips(const std::filesystem::path& folder, size_t num_clips) {
  constexpr int kFrames = 8;
  data::PuppetOptions options;
  options.width = options.height = 32;
  options.period_frames = kFrames;
  std::vector<data::ClipRecord> clips;
  for (size_t i = 0; i < num_clips; ++i) {
    const data::Puppet puppet(options, i, i);
    data::KeypointClip keypoints;
    keypoints.width = keypoints.height = options.width;
    keypoints.fps_num = 8;
    std::vector<image::Image> pictures;
    for (int f = 0; f < kFrames; ++f) {
      pictures.push_back(puppet.render(f).picture);
      keypoints.frames.push_back(puppet.keypoints(f));
    }
    const std::string id = "clip" + std::to_string(i);
    media::VideoWriterOptions video;
    video.width = video.height = options.width;
    video.fps = {8, 1};
    expect_ok(media::write_video(folder / (id + ".mp4"), pictures, video));
    expect_ok(data::write_keypoints(folder / (id + ".keypoints"), keypoints));
    data::ClipRecord record;
    record.id = id;
    record.video = id + ".mp4";
    record.content = data::content_digest(folder / record.video).value();
    record.keypoints = id + ".keypoints";
    record.split = i + 2 < num_clips ? "train" : "val";
    record.num_frames = kFrames;
    record.width = record.height = options.width;
    record.fps_num = 8;
    clips.push_back(record);
  }
  expect_ok(data::write_index(folder / "index.jsonl", clips));
  return folder / "index.jsonl";
}

/// Settings shared by all tiny runs, as `--set` texts.
inline std::vector<std::string> tiny_settings(const std::filesystem::path& folder) {
  return {"data.index=" + (folder / "index.jsonl").string(),
          "data.width=32",
          "data.height=32",
          "data.train_bs=2",
          "data.crop_scale=[1, 1]",
          "data.sample_margin=2",
          "data.sample_rate=1",
          "data.n_sample_frames=4",
          "cache.folder=" + (folder / "cache").string(),
          "model.unet.block_out_channels=[32, 32]",
          "model.unet.layers_per_block=1",
          "model.unet.num_heads=2",
          "model.unet.norm_num_groups=8",
          "model.unet.cross_attention_dim=16",
          "model.motion.num_heads=2",
          "model.motion.norm_num_groups=8",
          "model.pose_guider.block_out_channels=[8, 8, 16]",
          "model.codec.kind=linear",
          "model.codec.latent_channels=4",
          "model.codec.fit_pictures=32",
          "model.image_encoder.image_size=16",
          "model.image_encoder.patch_size=8",
          "model.image_encoder.hidden_size=16",
          "model.image_encoder.intermediate_size=32",
          "model.image_encoder.num_layers=1",
          "model.image_encoder.num_heads=2",
          "optimizer.learning_rate=1e-3",
          "validation.num_loss_samples=2",
          "validation.num_clips=1",
          "validation.num_frames=4",
          "validation.steps=2",
          "validation.guidance_scale=1",
          "threads=1"};
}

}  // namespace zt::test
