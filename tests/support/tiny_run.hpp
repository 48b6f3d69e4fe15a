// SPDX-License-Identifier: Apache-2.0
// A training run in a temporary folder, small enough to take seconds: puppet clips as real files, an index, a
// configuration, and zoetrope-worker started on it as `zoetrope` would.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/files.hpp"
#include "base/process.hpp"
#include "config/load.hpp"
#include "contract/manifest.hpp"
#include "contract/progress.hpp"
#include "contract/run_folder.hpp"
#include "data/clip_index.hpp"
#include "data/keypoints.hpp"
#include "data/puppet/puppet.hpp"
#include "media/video_writer.hpp"
#include "support/temp_folder.hpp"

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
    record.id = record.content = id;
    record.video = id + ".mp4";
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

/// One run folder and the launches of the worker on it.
class TinyRun {
 public:
  /// `changes` win over tiny_settings().
  TinyRun(const std::filesystem::path& folder, const std::string& name,
          const std::vector<std::string>& changes)
      : settings_(tiny_settings(folder)), run_(create(folder, name, changes)) {}

  const contract::RunFolder& run() const { return run_; }

  /// Starts a launch; `changes` are what a resume may change.
  process::Child start(const std::vector<std::string>& changes = {}) {
    const contract::Attempt attempt = value_of(run_.begin_attempt());
    if (!changes.empty()) expect_ok(files::write_atomic(attempt.run_yaml(), resolve(changes)));
    process::SpawnOptions options;
    options.argv = {ZT_WORKER,      "train",
                    "--run-dir",    run_.path().string(),
                    "--generation", std::to_string(attempt.generation)};
    options.out = process::Stream::discard();
    options.err = process::Stream::to_file(attempt.log());
    return value_of(process::Child::spawn(options));
  }

  /// Runs a launch to its end and returns its exit code.
  int finish(const std::vector<std::string>& changes = {}) {
    process::Child child = start(changes);
    return value_of(child.wait(kDeadline)).shell_code();
  }

  /// Waits until the newest launch has finished `step`, sends `signal` and returns how it ended.
  int interrupt(process::Child& child, int64_t step, int signal) {
    const auto page = value_of(run_.attempt(run_.attempts().back().generation)).progress();
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (std::chrono::steady_clock::now() < deadline) {
      const auto progress = contract::read_progress(page);
      if (progress && progress->step >= step && progress->phase != contract::Phase::Loading) break;
      if (value_of(child.poll())) break;  // it ended before: the caller sees its exit code
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    expect_ok(child.send(signal));
    return value_of(child.wait(kDeadline)).shell_code();
  }

  /// Digests of everything in the checkpoint of a step but the clock: equal for runs in the same state.
  std::map<std::string, std::string> state(int64_t step) const {
    const contract::Manifest manifest =
        value_of(contract::read_manifest(run_.checkpoints() / contract::checkpoint_name(step)));
    std::map<std::string, std::string> state = manifest.scalars;
    state.erase("train.elapsed_s");
    for (const contract::ManifestFile& file : manifest.files) state["file " + file.name] = file.xxh128;
    return state;
  }

  /// The newest launch's log, for messages.
  std::string log() const { return files::read(run_.attempts().back().log()).value_or("(no log)"); }

 private:
  static constexpr std::chrono::seconds kDeadline{60};

  std::string resolve(const std::vector<std::string>& changes) {
    settings_.insert(settings_.end(), changes.begin(), changes.end());
    return config::freeze(value_of(config::load<config::TrainJob>({{}, settings_})));
  }
  contract::RunFolder create(const std::filesystem::path& folder, const std::string& name,
                             const std::vector<std::string>& changes) {
    contract::CreateRun options;
    options.runs_folder = folder / "runs";
    options.name = name;
    options.run_yaml = resolve(changes);
    return value_of(contract::RunFolder::create(options));
  }
  std::vector<std::string> settings_;
  contract::RunFolder run_;
};

}  // namespace zt::test
