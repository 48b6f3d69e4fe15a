// SPDX-License-Identifier: Apache-2.0
// Writes puppet clips as real files in Moore-AnimateAnyone's layout: H.264 mp4 pairs in NAME/ and NAME_dwpose/, and
// beside them key-points, masks, part labels and clean backgrounds, with one NAME_SPLIT_meta.json per split. What comes
// out is read by `data ingest` like any other data set. Layout: docs/formats/synth.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/error.hpp"

namespace zt::data {

struct SynthOptions {
  std::filesystem::path folder;   ///< made if missing; holds NAME/, NAME_dwpose/, ...
  std::string name = "puppets";
  uint64_t seed = 0;
  int width = 64;
  int height = 64;
  int num_frames = 16;            ///< per clip; one period of the motion
  int fps = 12;
  int64_t train_clips = 1000;     ///< each with its own character and motion
  int64_t val_clips = 16;         ///< per validation split: A unseen characters, B unseen motions, C both
  int crf = 10;                   ///< H.264 quality of pictures and poses; 0 = lossless
  double puppet_size = 1.0;
  double striped_share = 0.35;
  double sway = 1.0;
  bool tail = true;
  size_t num_threads = 0;         ///< 0 = all cores
};

struct SynthReport {
  int64_t clips = 0;
  int64_t frames = 0;
  int64_t bytes = 0;
  double seconds = 0;
};

/// Progress: clips done, clips in all. Called from any thread, never concurrently.
using SynthProgress = std::function<void(int64_t done, int64_t total)>;

/// Deterministic per options (thread count and machine load do not matter). A clip that is already complete is kept, so
/// an interrupted call can be repeated; other options in the same folder are an error.
/// Errors: InvalidArgument for impossible options, AlreadyExists if the folder holds another data set, Exhausted if the
/// disk can't hold it (checked first), media errors.
Result<SynthReport> synth(const SynthOptions& options, const SynthProgress& progress = {});

}  // namespace zt::data
