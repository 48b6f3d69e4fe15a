// SPDX-License-Identifier: Apache-2.0
// Where samples come from and how one is cut out of a clip; where encoded samples are kept.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/enum_names.hpp"

namespace zt::config {

class Listing;

/// Which part of a clip's pictures a sample sees.
enum class CropMode {
  Shared,  ///< one region in normalised coordinates for reference, target and pose; the ratio of the crop is
           ///< relative to the training size's own
  PerStream,  ///< the reference's: equal random draws, but a crop in pixels of each stream, so that pose and
              ///< video of different size do not cover the same region, and the ratio is absolute; training
              ///< sizes that are not square come out transposed in stage 1
  Whole,      ///< no crop: pictures are resized, their aspect ignored (MusePose)
};
template <>
struct EnumNames<CropMode> {
  static constexpr std::array<std::string_view, 3> values = {"shared", "per_stream", "whole"};
};

/// How key-points are drawn.
enum class PoseStyle {
  Reference,  ///< pixel sizes of the reference at a short side of 512, scaled with the picture's short side
  Puppet,     ///< anti-aliased capsules: limb radius 0.012, joint radius 0.018 of the short side; for tiny
              ///< pictures
};
template <>
struct EnumNames<PoseStyle> {
  static constexpr std::array<std::string_view, 2> values = {"reference", "puppet"};
};

/// How key-points become the pictures that guide a network: those that it was trained with.
struct PoseDrawing {
  PoseStyle pose_style = PoseStyle::Reference;
  bool draw_hands = true;
  bool draw_face = true;
};

/// Numbers of stored latents and embeddings.
enum class CacheDtype { Fp32, Fp16, Bf16 };
template <>
struct EnumNames<CacheDtype> {
  static constexpr std::array<std::string_view, 3> values = {"fp32", "fp16", "bf16"};
};

/// Store of encoded pictures, shared by runs.
struct CacheSettings {
  bool enable = true;
  std::string folder = ".zoetrope/cache";  ///< relative to the working folder
  int64_t size_limit_mib = 20480;          ///< oldest entries go first; 0 = no limit
  CacheDtype dtype = CacheDtype::Fp32;
  bool build_ahead = false;  ///< fill it before the first step instead of on first use
};

struct DataJob : PoseDrawing {
  std::string index;  ///< clip index written by `zoetrope data ingest`
  /// Moore's *_meta.json lists, concatenated; used when `index` is empty.
  std::vector<std::string> meta_paths;
  std::vector<std::string> splits = {"train"};  ///< splits of the index to draw from; empty = all
  bool accept_change = false;                   ///< a resume may find others than its checkpoint's
  int64_t train_bs = 4;                         ///< samples per step and lane, before accumulation
  int64_t width = 512;
  int64_t height = 512;
  int64_t sample_margin = 30;                   ///< stage 1: least distance of reference and target frame
  int64_t sample_rate = 4;                      ///< stage 2: stride between frames
  int64_t n_sample_frames = 24;                 ///< stage 2: frames per clip
  std::vector<double> crop_scale = {0.9, 1.0};  ///< share of the picture's area; stage 2's default is 1, 1
  std::vector<double> crop_ratio = {0.9, 1.0};  ///< width / height, relative to the training size's own ratio
  CropMode crop_mode = CropMode::Shared;
  /// 0: every sample draws a crop of its own; N: one of N, whose latents are cached.
  int64_t crop_variants = 0;
  int64_t decode_threads = 0;        ///< 0 = as many as cores; never changes the samples
  int64_t prefetch_batches = 2;      ///< batches made ahead
  int64_t decode_memory_mib = 1024;  ///< bound for decoded frames
};

void describe(Listing& listing, PoseDrawing& drawing);
void describe(Listing& listing, CacheSettings& settings);
void describe(Listing& listing, DataJob& job);

}  // namespace zt::config
