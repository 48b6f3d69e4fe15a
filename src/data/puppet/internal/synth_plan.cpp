// SPDX-License-Identifier: Apache-2.0
#include "data/puppet/internal/synth_plan.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace zt::data::internal {
namespace {

constexpr int kSynthVersion = 2;

SynthClip make_clip(std::string_view split, int64_t number, int64_t character, int64_t motion,
                    bool with_masks) {
  const auto file = [&](std::string_view kind, std::string_view ending) {
    return fmt::format("clips{}/{}/{:06}{}", kind, split, number, ending);
  };
  SynthClip clip;
  clip.split = split;
  clip.character = character;
  clip.motion = motion;
  clip.video = file("", ".mp4");
  clip.pose = file("_dwpose", ".mp4");
  clip.keypoints = file("_keypoints", ".jsonl");
  if (!with_masks) return clip;
  clip.mask = file("_mask", ".mp4");
  clip.labels = file("_labels", ".mp4");
  clip.background = file("_background", ".png");
  return clip;
}

}  // namespace

std::vector<std::filesystem::path> SynthClip::files() const {
  if (mask.empty()) return {video, pose, keypoints};
  return {video, pose, keypoints, mask, labels, background};
}

std::vector<SynthClip> plan_synth(const config::SynthJob& job) {
  std::vector<SynthClip> clips;
  const int64_t train = job.num_train;
  // Number j of n, spread over the numbers of train.
  const auto seen = [&](int64_t j, int64_t n) { return j * train / n; };
  for (int64_t i = 0; i < train; ++i) clips.push_back(make_clip("train", i, i, i, job.masks));
  for (int64_t j = 0; j < job.num_val_a; ++j)
    clips.push_back(make_clip("val_a", j, train + j, seen(j, job.num_val_a), job.masks));
  for (int64_t j = 0; j < job.num_val_b; ++j)
    clips.push_back(make_clip("val_b", j, seen(j, job.num_val_b), train + j, job.masks));
  for (int64_t j = 0; j < job.num_val_c; ++j)
    clips.push_back(make_clip("val_c", j, train + job.num_val_a + j, train + job.num_val_b + j, job.masks));
  return clips;
}

PuppetOptions puppet_options(const config::SynthJob& job) {
  PuppetOptions options;
  options.seed = static_cast<uint64_t>(job.seed);
  options.width = static_cast<int>(job.width);
  options.height = static_cast<int>(job.height);
  options.period_frames = static_cast<int>(job.num_frames);
  options.size = job.puppet_height;
  options.striped_share = job.striped_share;
  options.tail = job.scarf;
  return options;
}

std::string synth_identity(const config::SynthJob& job) {
  nlohmann::ordered_json identity;
  identity["format"] = "zoetrope-synth";
  identity["version"] = kSynthVersion;
  identity["seed"] = job.seed;
  identity["num_train"] = job.num_train;
  identity["num_val_a"] = job.num_val_a;
  identity["num_val_b"] = job.num_val_b;
  identity["num_val_c"] = job.num_val_c;
  identity["num_frames"] = job.num_frames;
  identity["width"] = job.width;
  identity["height"] = job.height;
  identity["fps"] = job.fps;
  identity["puppet_height"] = job.puppet_height;
  identity["striped_share"] = job.striped_share;
  identity["scarf"] = job.scarf;
  identity["masks"] = job.masks;
  identity["crf"] = job.crf;
  return identity.dump(2) + "\n";
}

std::string synth_meta(const std::vector<SynthClip>& clips, std::string_view split,
                       const std::filesystem::path& root) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const SynthClip& clip : clips) {
    if (clip.split != split) continue;
    nlohmann::ordered_json entry;
    const auto add = [&](const char* key, const std::filesystem::path& file) {
      if (!file.empty()) entry[key] = (root / file).string();
    };
    add("video_path", clip.video);
    add("kps_path", clip.pose);
    add("keypoints_path", clip.keypoints);
    add("mask_path", clip.mask);
    add("labels_path", clip.labels);
    add("background_path", clip.background);
    entry["split"] = clip.split;
    entry["character"] = clip.character;
    entry["motion"] = clip.motion;
    list.push_back(std::move(entry));
  }
  return list.dump(1) + "\n";
}

}  // namespace zt::data::internal
