// SPDX-License-Identifier: Apache-2.0
// Which clip, frames and crop a training sample is made of: a pure function of (options, index, global sample
// number). The order is endless; its cursor is one integer. Each epoch is another permutation of the clips,
// computed per element by a keyed bijection, so an epoch's edge costs nothing and nothing is shuffled in
// memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.hpp"
#include "data/clip_index.hpp"
#include "data/sample/crop.hpp"

namespace zt::data {

struct SamplePlanOptions {
  uint64_t seed = 0;
  int width = 64;  ///< training size in pixels
  int height = 64;
  int num_frames = 1;   ///< target frames per sample: 1 = stage 1
  int sample_rate = 1;  ///< stride between target frames of a clip
  int margin =
      30;  ///< stage 1: the target is at least this many frames away from the reference, if it can be
  CropMode crop_mode = CropMode::Shared;
  CropRule crop;
  int64_t crop_variants = 0;  ///< > 0: a sample has one of this many crops, the same for every seed
  bool operator==(const SamplePlanOptions&) const = default;
};

struct SamplePlan {
  uint64_t sample = 0;  ///< global number
  uint64_t epoch = 0;
  uint32_t attempt = 0;         ///< > 0: replaces a broken clip
  size_t clip = 0;              ///< position in the index
  int64_t reference_frame = 0;  ///< inside the shot: 0 <= frame < num_frames
  std::vector<int64_t> target_frames;
  NormBox crop;       ///< of video, reference and mask
  NormBox pose_crop;  ///< of pose frames; equal to `crop` but in CropMode::PerStream
};

/// The plan of sample number `sample`. `attempt` > 0 gives the deterministic replacement for a clip that
/// can't be read: another clip, drawn from (seed, sample, attempt). Errors: InvalidArgument if the index is
/// empty or an option is out of range.
Result<SamplePlan> plan_sample(const SamplePlanOptions& options, const ClipIndex& index, uint64_t sample,
                               uint32_t attempt = 0);

/// Gives the plan crop number `variant` of its clip. Requires 0 <= variant < options.crop_variants.
void use_crop_variant(const SamplePlanOptions& options, const ClipIndex& index, int64_t variant,
                      SamplePlan& plan);

/// Image i of a permutation of [0, size) chosen by `key` (an eight-round Feistel network with cycle walking).
/// Requires i < size. Cost: constant on average.
uint64_t permuted(uint64_t i, uint64_t size, uint64_t key);

/// Frames of a clip: int(linspace(start, start + length - 1, count)), where length = min(total,
/// (count-1)*rate + 1). Short clips are stretched, so frames may repeat. Requires 0 <= start <= total -
/// length.
std::vector<int64_t> clip_frames(int64_t total, int64_t start, int count, int rate);

}  // namespace zt::data
