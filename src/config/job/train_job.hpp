// SPDX-License-Identifier: Apache-2.0
// One training run: what `zoetrope train` is given and what run.yaml holds. Defaults are our better
// behaviour; `compat: moore` changes the defaults that job/compat.hpp lists to the reference's.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/enum_names.hpp"
#include "config/job/compat.hpp"
#include "config/job/data_job.hpp"
#include "config/job/model_job.hpp"
#include "config/job/optim_job.hpp"
#include "config/job/schedule_job.hpp"

namespace zt::config {

class Listing;

/// What the image embedding is on a step without condition. ZeroEmbedding agrees with generation; ZeroPixels
/// is the reference's training: an all-zero picture through the encoder.
enum class NullCondition { ZeroEmbedding, ZeroPixels };
template <>
struct EnumNames<NullCondition> {
  static constexpr std::array<std::string_view, 2> values = {"zero_embedding", "zero_pixels"};
};

enum class DropoutScope { Sample, Batch };
template <>
struct EnumNames<DropoutScope> {
  static constexpr std::array<std::string_view, 2> values = {"sample", "batch"};
};

struct ConditionJob {
  double uncond_ratio = 0.1;  ///< probability of training without reference
  DropoutScope dropout_scope = DropoutScope::Sample;
  NullCondition null_condition = NullCondition::ZeroEmbedding;
};

struct ValidationJob {
  int64_t every_steps = 200;      ///< 0 = never
  std::string split = "val";      ///< of data.index; when it has none, the first clips of the training split
  int64_t num_loss_samples = 16;  ///< samples of the fixed-noise, fixed-timestep loss
  int64_t num_clips = 2;          ///< clips generated and written to samples/; 0 = none
  int64_t num_frames = 24;        ///< per clip; stage 1 makes single pictures
  int64_t steps = 20;
  double guidance_scale = 3.5;
  int64_t seed = 42;
  bool same_noise_per_frame = false;
  SamplerBetas beta_schedule = SamplerBetas::AsTrained;
  TimestepSpacing timestep_spacing = TimestepSpacing::Trailing;
};

/// Where a rank adds up the gradients of several lanes or micro batches: whole, and the ranks exchange the
/// sum; or every one's exchanged at once and added into the ranks' parts (ZeRO stages 2 and 3).
enum class Accumulation { Whole, Parts };
template <>
struct EnumNames<Accumulation> {
  static constexpr std::array<std::string_view, 2> values = {"whole", "parts"};
};

struct CheckpointJob {
  int64_t every_steps = 500;  ///< 0 = only the last; the last step is always saved
  int64_t every_epochs = 0;   ///< also where so many passes over the clips end; 0 = nowhere
  int64_t keep_last = 2;
  int64_t keep_best = 1;            ///< by the fixed-noise validation loss
  int64_t keep_epochs = 3;          ///< of those that every_epochs made
  int64_t memory_every_steps = 10;  ///< of the copies that outlive a rank; 0 = none
  bool memory_peer = false;         ///< each of them also in a neighbour's memory
};

/// How ranks share a run (`zoetrope train --ranks N`).
struct ParallelJob {
  int64_t zero_stage = 1;          ///< what ranks share: 0 nothing, 1 optimizer state, 2 gradients, 3 weights
  int64_t shard_ranks = 0;         ///< ranks that share one copy of the state; 0 = all
  std::vector<std::string> units;  ///< others for some units (config/meaning/unit_sharing.hpp)
  std::vector<std::string> keep_whole;  ///< stage 3: parts of names of units that every rank has whole
  bool keep_whole_if_faster = false;    ///< stage 3: also units that gather for longer than they compute
  Accumulation accumulation = Accumulation::Whole;
  int64_t timeout_s = 1800;        ///< longest wait for the other ranks in one exchange
  int64_t hang_s = 5;              ///< shortest silence of a rank that counts as a hang; 0 = never
  int64_t check_every_steps = 50;  ///< ranks compare their copies; 0 = never
};

struct TrainJob {
  std::string name = "run";
  int64_t stage = 1;  ///< 1: pictures, all networks; 2: clips, motion modules
  std::string output_dir = "runs";
  Compat compat = Compat::None;
  int64_t seed = 12580;
  int64_t max_train_steps = 30000;
  double time_cap_s = 0.0;  ///< 0 = none; else the run ends by then, its decay moved forward
  /// Share of time_cap_s after which the learning rate decays at the latest.
  double time_cap_decay_start = 0.6;
  bool gradient_checkpointing = false;
  std::vector<std::string> freeze = {"reference_unet.up_blocks.3."};  ///< parts of parameter names
  int64_t log_every_steps = 1;
  int64_t lanes = 1;
  std::string device = "cpu";  ///< cpu, cuda, cuda:1
  int64_t threads = 0;         ///< 0 = as many as cores
  ModelJob model;
  DataJob data;
  CacheSettings cache;
  ScheduleJob schedule;
  ConditionJob condition;
  OptimJob optimizer;
  PrecisionJob precision;
  ValidationJob validation;
  CheckpointJob checkpoint;
  ParallelJob parallel;
};

void describe(Listing& listing, ConditionJob& job);
void describe(Listing& listing, ValidationJob& job);
void describe(Listing& listing, CheckpointJob& job);
void describe(Listing& listing, ParallelJob& job);
void describe(Listing& listing, TrainJob& job);

/// Rules between fields, after every value was read. InvalidConfig names the keys and what to change.
Status validate(const TrainJob& job);

/// Whether so many ranks can train the job together. InvalidConfig if some would have no lane, or if they
/// don't make up copies of parallel.shard_ranks.
Status check_ranks(const TrainJob& job, int64_t ranks);

}  // namespace zt::config
