// SPDX-License-Identifier: Apache-2.0
// The jobs of `zoetrope data` and `zoetrope eval`: ingest, pose, synth, cache, evaluation.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/enum_names.hpp"
#include "config/job/data_job.hpp"
#include "config/job/dtype_choice.hpp"
#include "config/job/model_job.hpp"
#include "config/job/schedule_job.hpp"

namespace zt::config {

class Listing;

enum class IngestLayout { Auto, Moore, Champ, Manifest, Footage };
template <>
struct EnumNames<IngestLayout> {
  static constexpr std::array<std::string_view, 5> values = {"auto", "moore", "champ", "manifest", "footage"};
};

/// How people are found in footage.
struct PoseSearch {
  std::string models_dir;  ///< "" = where set-up put them
  double min_confidence = 0.3;
  int64_t max_people = 1;      ///< the largest tracks are kept
  int64_t max_gap_frames = 8;  ///< gaps up to this long are filled
  double smoothing = 0.5;      ///< 0 = none
  bool hands = true;
  bool face = true;
};

struct PoseJob : PoseSearch {
  std::vector<std::string> inputs;  ///< videos or folders
  std::string output_dir;           ///< "" = beside each video, NAME_dwpose
  double shot_threshold = 0.35;     ///< as ingest's; 0 = the video is one shot
  bool preview = true;              ///< also writes a pose mp4
  bool resume = true;               ///< skip videos whose key-points are complete
  bool strict = false;              ///< the first video that can't be used is an error
  int64_t threads = 0;
};

struct IngestJob {
  std::string input;   ///< folder, *_meta.json, or a CSV / JSONL manifest
  std::string output;  ///< folder of the index and of what ingest makes (key-points); "" = INPUT/.zoetrope
  IngestLayout layout = IngestLayout::Auto;
  bool strict = false;  ///< the first rejected clip is an error
  int64_t min_frames = 8;
  int64_t max_frames = 0;  ///< longer clips are cut into several; 0 = no limit
  int64_t min_side_px = 32;
  bool split_shots = true;
  double shot_threshold = 0.35;  ///< mean colour-histogram distance of neighbours, 0..1
  bool verify_frames = true;     ///< decode every frame once
  bool extract_pose = true;      ///< footage without poses
  PoseSearch pose;               ///< with extract_pose
  double min_pose_share = 0.8;   ///< of the frames in which a person must be seen
  int64_t max_people = 0;        ///< more in one frame reject the clip; 0 = any number
  /// Share of the clips that goes to the split `val` when the input names no splits.
  double val_fraction = 0.05;
  int64_t seed = 0;  ///< of that choice
  int64_t threads = 0;
};

struct SynthJob {
  std::string output = "data/puppets";
  int64_t seed = 1;
  int64_t num_train = 400;  ///< clips with characters and motions of their own
  int64_t num_val_a = 16;   ///< unseen characters, seen motions
  int64_t num_val_b = 16;   ///< seen characters, unseen motions
  int64_t num_val_c = 16;   ///< both unseen
  int64_t num_frames = 16;
  int64_t width = 64;
  int64_t height = 64;
  int64_t fps = 8;
  double puppet_height = 0.9;   ///< of the picture's height, on average
  double striped_share = 0.35;  ///< tops with a pattern
  bool scarf = true;            ///< a scarf or pony-tail that lags behind the motion
  bool masks = true;
  int64_t crf = 6;
  int64_t threads = 0;
};

/// What the worker is given to fill the cache of a training: the parts of a TrainJob that count for it.
struct CacheJob {
  ModelJob model;
  DataJob data;
  CacheSettings cache;
  int64_t stage = 1;  ///< which samples: single pictures or clips
  std::string device = "cpu";
  bool tf32 = false;       ///< PrecisionJob
  bool repeatable = true;  ///< PrecisionJob
  int64_t threads = 0;
};

struct EvalJob {
  std::string run;                       ///< generate from this run, or
  std::vector<std::string> results;      ///< judge these videos
  std::vector<std::string> truths;       ///< one per result
  std::vector<std::string> masks;        ///< one per result, or none
  std::vector<std::string> backgrounds;  ///< pictures without the figure, one per result, or none
  std::string baseline_run;  ///< with `run`: also generate from this one (stage 1) and compare clip by clip
  std::string output;        ///< with `run`: folder for the clips generated | truth; "" = RUN/eval
  std::string index;         ///< with `run`: clips to generate
  std::vector<std::string> splits = {"val_c"};
  int64_t num_clips = 16;
  int64_t num_frames = 16;
  int64_t steps = 20;
  double guidance_scale = 3.5;
  int64_t seed = 42;
  bool same_noise_per_frame = false;
  TimestepSpacing timestep_spacing = TimestepSpacing::Trailing;
  SamplerBetas beta_schedule = SamplerBetas::AsTrained;
  DtypeChoice dtype = DtypeChoice::AsTrained;     ///< with `run`; of each run its own
  BankChoice bank_dtype = BankChoice::AsTrained;  ///< likewise
  bool wrong_reference = true;                    ///< also measure the gap to another character's reference
  bool keep_latents = false;     ///< also write each clip's latents, as CLIP.safetensors beside its video
  double mask_threshold = 0.15;  ///< distance from the background that counts as foreground, 0..1
  std::string device = "cpu";
  int64_t threads = 0;
};

void describe(Listing& listing, PoseSearch& search);
void describe(Listing& listing, IngestJob& job);
void describe(Listing& listing, PoseJob& job);
void describe(Listing& listing, SynthJob& job);
void describe(Listing& listing, CacheJob& job);
void describe(Listing& listing, EvalJob& job);
Status validate(const SynthJob& job);
Status validate(const CacheJob& job);
Status validate(const EvalJob& job);

}  // namespace zt::config
