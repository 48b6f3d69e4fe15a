// SPDX-License-Identifier: Apache-2.0
// What a synthetic data set consists of: a pure function of its job (docs/formats/synth.md).
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "config/job/data_tools_job.hpp"
#include "data/puppet/puppet.hpp"

namespace zt::data::internal {

inline constexpr std::array<std::string_view, 4> kSynthSplits = {"train", "val_a", "val_b", "val_c"};

/// One clip and its files, relative to the data set's folder. The last three are empty if the job wants no
/// masks.
struct SynthClip {
  std::string split;
  int64_t character = 0;
  int64_t motion = 0;
  std::filesystem::path video, pose, keypoints, mask, labels, background;

  std::vector<std::filesystem::path> files() const;
};

/// The clips, split by split. val_a: characters of its own in motions of train; val_b: characters of train in
/// motions of its own; val_c: both of its own. Requires: num_train >= 1.
std::vector<SynthClip> plan_synth(const config::SynthJob& job);

PuppetOptions puppet_options(const config::SynthJob& job);

/// Everything that determines the bytes, as JSON: what synth.json holds.
std::string synth_identity(const config::SynthJob& job);

/// The meta list of one split: Moore's keys and ours. `root` is put before every path.
std::string synth_meta(const std::vector<SynthClip>& clips, std::string_view split,
                       const std::filesystem::path& root);

}  // namespace zt::data::internal
