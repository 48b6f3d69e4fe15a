// SPDX-License-Identifier: Apache-2.0
#include "config/job/train_job.hpp"

#include <fmt/format.h>

#include "base/limits.hpp"
#include "base/text/run_name.hpp"
#include "base/text/text.hpp"
#include "config/internal/limits.hpp"
#include "config/internal/rules.hpp"
#include "config/listing.hpp"
#include "config/meaning/unit_sharing.hpp"

namespace zt::config {

void describe(Listing& l, ConditionJob& c) {
  l.field("uncond_ratio", c.uncond_ratio,
          {.help = "probability of training without reference", .min = 0, .max = 1});
  l.field("dropout_scope", c.dropout_scope, {.help = "drawn for each sample, or once for a batch"});
  l.field("null_condition", c.null_condition,
          {.help = "image embedding without reference: zero, as in generation, or of an all-zero picture"});
}

void describe(Listing& l, ValidationJob& v) {
  l.field("every_steps", v.every_steps,
          {.help = "0 = never", .unit = "steps", .min = 0, .max = kMaxSteps, .resume = Resume::Allow});
  l.field("split", v.split, {.help = "split of data.index; without it, the first clips of training"});
  l.field(
      "num_loss_samples", v.num_loss_samples,
      {.help = "of the loss with fixed noise and timesteps", .unit = "samples", .min = 0, .max = kMaxClips});
  l.field("num_clips", v.num_clips,
          {.help = "generated and written to samples/; 0 = none",
           .unit = "clips",
           .min = 0,
           .max = kMaxClips,
           .resume = Resume::Allow});
  l.field("num_frames", v.num_frames,
          {.help = "per clip; stage 1 makes single pictures",
           .unit = "frames",
           .min = 1,
           .max = kMaxFrames,
           .resume = Resume::Allow});
  l.field("steps", v.steps,
          {.help = "denoising steps", .unit = "steps", .min = 1, .max = 1000, .resume = Resume::Allow});
  l.field("guidance_scale", v.guidance_scale,
          {.help = "classifier-free guidance; 1 = none", .min = 0, .max = 100, .resume = Resume::Allow});
  l.field("seed", v.seed, {.help = "seed of validation noise and timesteps", .min = 0});
  l.field("same_noise_per_frame", v.same_noise_per_frame,
          {.help = "every frame of a clip starts from the same noise", .resume = Resume::Allow});
  l.field("beta_schedule", v.beta_schedule,
          {.help = "of the sampler: the one of training, or another", .resume = Resume::Allow});
  l.field("timestep_spacing", v.timestep_spacing,
          {.help = "which timesteps the steps visit", .resume = Resume::Allow});
}

void describe(Listing& l, CheckpointJob& c) {
  l.field("every_steps", c.every_steps,
          {.help = "0 = only the last step, which is always saved",
           .unit = "steps",
           .min = 0,
           .max = kMaxSteps,
           .resume = Resume::Allow});
  l.field("every_epochs", c.every_epochs,
          {.help = "also at the end of every so many passes over the clips; 0 = none",
           .unit = "epochs",
           .min = 0,
           .max = kMaxSteps,
           .resume = Resume::Allow});
  l.field("memory_every_steps", c.memory_every_steps,
          {.help = "between copies in memory, from which a rank that died goes on; 0 = none",
           .unit = "steps",
           .min = 0,
           .max = kMaxSteps,
           .resume = Resume::Allow});
  l.field(
      "memory_peer", c.memory_peer,
      {.help = "every copy in memory also goes to a rank of another host, if there is one, which gives it "
               "back when this host is lost",
       .resume = Resume::Allow});
  l.field("keep_last", c.keep_last,
          {.help = "newest kept", .unit = "checkpoints", .min = 1, .max = kMaxKept, .resume = Resume::Allow});
  l.field("keep_best", c.keep_best,
          {.help = "kept for their validation loss",
           .unit = "checkpoints",
           .min = 0,
           .max = kMaxKept,
           .resume = Resume::Allow});
  l.field("keep_epochs", c.keep_epochs,
          {.help = "newest kept of those that every_epochs made",
           .unit = "checkpoints",
           .min = 0,
           .max = kMaxKept,
           .resume = Resume::Allow});
}

void describe(Listing& l, ParallelJob& j) {
  l.field("zero_stage", j.zero_stage,
          {.help = "what ranks share (ZeRO): 0 nothing; 1 optimizer state and averaged weights; 2 gradients "
                   "too; 3 weights too",
           .min = 0,
           .max = 3,
           .resume = Resume::Allow});
  l.field(
      "shard_ranks", j.shard_ranks,
      {.help = "neighbouring ranks that share one copy of what zero_stage shares, others holding copies of "
               "their own (HSDP); 0 = all ranks share one",
       .unit = "ranks",
       .min = 0,
       .max = kMaxRanks,
       .resume = Resume::Allow});
  l.field("units", j.units,
          {.help = "units with a ZeRO stage of their own: parts of names, each with its stage, of which the "
                   "first that fits decides, e.g. mid_block=2; with /all after it, all ranks share them, "
                   "whatever shard_ranks; zoetrope plan --units lists names",
           .resume = Resume::Allow});
  l.field("keep_whole", j.keep_whole,
          {.help = "with zero_stage 3: units whose weights every rank keeps whole, as with stage 2; parts of "
                   "their names, e.g. mid_block",
           .resume = Resume::Allow});
  l.field("keep_whole_if_faster", j.keep_whole_if_faster,
          {.help = "with zero_stage 3: the same for units that see so few positions that gathering their "
                   "weights would take longer than using them; measured at the start",
           .resume = Resume::Allow});
  l.field(
      "accumulation", j.accumulation,
      {.help = "of several lanes or micro batches on a rank, with zero_stage 2 or 3: whole = gradients are "
               "added up whole and exchanged once, the same bits for every number of ranks; parts = "
               "exchanged each time, and no rank has them whole",
       .resume = Resume::Allow});
  l.field("timeout_s", j.timeout_s,
          {.help = "longest wait for the other ranks",
           .unit = "s",
           .min = 1,
           .max = 86400,
           .resume = Resume::Allow});
  l.field("hang_s", j.hang_s,
          {.help = "shortest silence of one of several ranks that counts as a hang; 0 = never",
           .unit = "s",
           .min = 0,
           .max = 86400,
           .resume = Resume::Allow});
  l.field("check_every_steps", j.check_every_steps,
          {.help = "how often ranks compare digests of what must be the same bits on all; 0 = never, and the "
                   "optimizer's own check is off as well",
           .unit = "steps",
           .min = 0,
           .max = kMaxSteps,
           .resume = Resume::Allow});
}

void describe(Listing& l, TrainJob& j) {
  l.field("name", j.name, {.help = "run name; the folder is NAME-xxxxxxxx (8 hexadecimal digits)"});
  l.field("stage", j.stage,
          {.help = "1: pictures, all networks; 2: clips, motion modules", .min = 1, .max = 2});
  l.field("output_dir", j.output_dir,
          {.help = "folder of runs", .names = Names::Output, .resume = Resume::Allow});
  l.field("compat", j.compat,
          {.help = "moore: defaults are those of MooreThreads/Moore-AnimateAnyone where they differ"});
  l.field("seed", j.seed, {.help = "random seed of the run", .min = 0});
  l.field("max_train_steps", j.max_train_steps,
          {.help = "optimizer steps", .unit = "steps", .min = 1, .max = kMaxSteps, .resume = Resume::Allow});
  l.field("time_cap_s", j.time_cap_s,
          {.help = "the run ends by then, its learning-rate decay moved forward; 0 = none",
           .unit = "s",
           .min = 0,
           .resume = Resume::Allow});
  l.field("time_cap_decay_start", j.time_cap_decay_start,
          {.help = "share of time_cap_s after which the learning rate decays at the latest",
           .min = 0,
           .max = 1,
           .resume = Resume::Allow});
  l.field("gradient_checkpointing", j.gradient_checkpointing,
          {.help = "recompute activations in the backward pass: less memory, same numbers",
           .resume = Resume::Allow});
  l.field("freeze", j.freeze, {.help = "parameters whose name contains one of these do not train"});
  l.field("log_every_steps", j.log_every_steps,
          {.help = "between metric points",
           .unit = "steps",
           .min = 1,
           .max = kMaxSteps,
           .resume = Resume::Allow});
  l.field(
      "lanes", j.lanes,
      {.help = "equal parts of the batch, each its own forward and backward", .min = 1, .max = kMaxRanks});
  l.field("device", j.device, {.help = "cpu, cuda or cuda:1", .resume = Resume::Allow});
  l.field(
      "threads", j.threads,
      {.help = "0 = as many as cores", .unit = "threads", .min = 0, .max = 1024, .resume = Resume::Allow});
  l.section("model", j.model, "Networks, their sizes and the files they start from");
  l.section("data", j.data, "Samples");
  l.section("cache", j.cache, "Store of encoded pictures");
  l.section("schedule", j.schedule, "Noise, prediction target and loss weight");
  l.section("condition", j.condition, "Training without reference, for guidance");
  l.section("optimizer", j.optimizer, "AdamW, learning rate and averaged weights");
  l.section("precision", j.precision, "Number formats");
  l.section("validation", j.validation, "Validation during training");
  l.section("checkpoint", j.checkpoint, "Saving");
  l.section("parallel", j.parallel, "Several ranks");
}

namespace {

Status check_start(const TrainJob& job) {
  const ModelJob& model = job.model;
  if (!model.stage1_run.empty() && !model.stage1_ckpt_dir.empty())
    return broken("model.stage1_run and model.stage1_ckpt_dir exclude each other: give one");
  const bool has_stage1 = !model.stage1_run.empty() || !model.stage1_ckpt_dir.empty();
  if (job.stage == 1 && has_stage1)
    return broken(
        "model.stage1_run and stage1_ckpt_dir are for stage: 2; stage 1 starts from "
        "model.reference_unet_path, denoising_unet_path and pose_guider_path");
  if (job.stage == 2 && job.data.n_sample_frames > model.motion.max_len)
    return broken(fmt::format("data.n_sample_frames ({}) is longer than model.motion.max_len ({})",
                              job.data.n_sample_frames, model.motion.max_len));
  return {};
}

/// Stage 2 keeps all networks but the motion modules as they start, so each must start from trained weights.
Status check_frozen_networks(const TrainJob& job) {
  const ModelJob& model = job.model;
  const bool has_stage1 = !model.stage1_run.empty() || !model.stage1_ckpt_dir.empty();
  if (job.stage != 2 || has_stage1 || model.allow_random_start) return {};
  const bool has_base = !model.base_model_path.empty();
  std::vector<std::string> unset;
  if (!has_base && model.reference_unet_path.empty()) unset.push_back("model.reference_unet_path");
  if (!has_base && model.denoising_unet_path.empty()) unset.push_back("model.denoising_unet_path");
  // A ControlNet gives all but the guider's last convolution, which would stay at zero.
  if (model.pose_guider_path.empty()) unset.push_back("model.pose_guider_path");
  if (unset.empty()) return {};
  return broken(fmt::format(
      "stage: 2 trains the motion modules alone, and the networks around them have no trained weights: set "
      "model.stage1_run or model.stage1_ckpt_dir, or else {} (model.allow_random_start: true for a test of "
      "speed or memory)",
      text::join(unset, " and ")));
}

Status check_units(const ParallelJob& job) {
  for (const std::string& rule : job.units) ZT_TRY(parse_unit_rule(rule));
  return {};
}

Status check_optimizer(const TrainJob& job) {
  const OptimJob& o = job.optimizer;
  if (o.lr_scheduler == LrScheduler::PiecewiseConstant && o.lr_step_rules.empty())
    return broken(
        "optimizer.lr_scheduler: piecewise_constant needs lr_step_rules, as in \"1:10,0.1:20,0.01\"");
  return {};
}

}  // namespace

Status validate(const TrainJob& job) {
  if (!is_run_name(job.name))
    return broken(fmt::format("name: wanted {}, found {}", kRunNameRule, text::quoted(job.name)));
  if (job.output_dir.empty()) return broken("output_dir: wanted the folder of runs, found nothing");
  ZT_TRY(validate_device(job.device));
  ZT_TRY(validate_model(job.model));
  if (job.stage == 2) ZT_TRY(validate_motion(job.model));
  ZT_TRY(validate_data(job.data, job.model));
  ZT_TRY(validate_schedule(job.schedule));
  ZT_TRY(validate_precision(job.precision));
  ZT_TRY(check_start(job));
  ZT_TRY(check_frozen_networks(job));
  ZT_TRY(check_units(job.parallel));
  return check_optimizer(job);
}

Status check_ranks(const TrainJob& job, int64_t ranks) {
  if (job.lanes < ranks)
    return broken(
        fmt::format("lanes: the run's batch has {} part(s), too few for {} ranks; use at most {} ranks, or a "
                    "new run with --set lanes={} (a run's lanes are fixed when it begins)",
                    job.lanes, ranks, job.lanes, ranks));
  const int64_t copy = job.parallel.shard_ranks;
  if (ranks > 1 && copy > 0 && ranks % copy != 0)
    return broken(
        fmt::format("parallel.shard_ranks: {} ranks do not divide into copies of {}; 0 makes one copy of all",
                    ranks, copy));
  return {};
}

}  // namespace zt::config
