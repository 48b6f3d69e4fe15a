// SPDX-License-Identifier: Apache-2.0
#include "config/job/data_tools_job.hpp"

#include <fmt/format.h>

#include "config/internal/limits.hpp"
#include "config/internal/rules.hpp"
#include "config/listing.hpp"

namespace zt::config {

void describe(Listing& l, PoseSearch& s) {
  l.field("models_dir", s.models_dir, {.help = "pose graphs; '' = where set-up put them"});
  l.field("min_confidence", s.min_confidence,
          {.help = "key-points below it are absent from the file; pictures show those of 0.3 and more",
           .min = 0,
           .max = 1});
  l.field("max_people", s.max_people,
          {.help = "the largest people are kept in the file; pictures show the first of them",
           .unit = "people",
           .min = 1,
           .max = 100});
  l.field("max_gap_frames", s.max_gap_frames,
          {.help = "gaps up to this long are filled", .unit = "frames", .min = 0, .max = kMaxFrames});
  l.field("smoothing", s.smoothing, {.help = "0 = none", .min = 0, .max = 1});
  l.field("hands", s.hands, {.help = "find hands"});
  l.field("face", s.face, {.help = "find face points"});
}

void describe(Listing& l, IngestJob& j) {
  l.field("input", j.input, {.help = "folder, *_meta.json, or a CSV / JSONL manifest"});
  l.field("output", j.output,
          {.help = "folder of the index and of the key-points it makes; '' = INPUT/.zoetrope"});
  l.field("layout", j.layout, {.help = "how input is laid out"});
  l.field("strict", j.strict, {.help = "the first rejected clip is an error"});
  l.field("min_frames", j.min_frames,
          {.help = "shorter clips are rejected", .unit = "frames", .min = 1, .max = kMaxFrames});
  l.field("max_frames", j.max_frames,
          {.help = "longer clips are cut into several; 0 = no limit",
           .unit = "frames",
           .min = 0,
           .max = kMaxFrames});
  l.field("min_side_px", j.min_side_px,
          {.help = "smaller pictures are rejected", .unit = "pixels", .min = 1, .max = kMaxSide});
  l.field("split_shots", j.split_shots,
          {.help = "cut clips at shot changes; decodes every frame of a video"});
  l.field("shot_threshold", j.shot_threshold,
          {.help = "colour-histogram distance of neighbours that makes a shot change", .min = 0, .max = 1});
  l.field(
      "verify_frames", j.verify_frames,
      {.help =
           "decode every frame once; false counts only for pose videos, masks and labels unless split_shots "
           "is false too"});
  l.field("extract_pose", j.extract_pose, {.help = "find poses in footage that comes without"});
  l.field("min_pose_share", j.min_pose_share,
          {.help = "share of a clip's frames in which a person must be seen", .min = 0, .max = 1});
  l.field("max_people", j.max_people,
          {.help = "more people in one frame reject the clip, where key-points tell; 0 = any number",
           .unit = "people",
           .min = 0,
           .max = 100});
  l.field("val_fraction", j.val_fraction,
          {.help = "share of the clips for the split val, when input names no splits", .min = 0, .max = 1});
  l.field("seed", j.seed, {.help = "of that choice", .min = 0});
  l.field("threads", j.threads, {.help = "0 = as many as cores", .unit = "threads", .min = 0, .max = 1024});
  l.section("pose", j.pose, "How people are found in footage that comes without poses");
}

void describe(Listing& l, PoseJob& j) {
  l.field("inputs", j.inputs, {.help = "videos or folders of videos"});
  l.field("output_dir", j.output_dir, {.help = "'' = beside each video, in NAME_dwpose"});
  describe(l, static_cast<PoseSearch&>(j));
  l.field(
      "shot_threshold", j.shot_threshold,
      {.help = "colour-histogram distance of neighbours that makes a shot change: nobody is followed, and no "
               "motion smoothed, across it; 0 = the video is one shot",
       .min = 0,
       .max = 1});
  l.field("preview", j.preview, {.help = "also write a video of the poses"});
  l.field("resume", j.resume, {.help = "skip videos whose key-points are complete and of these settings"});
  l.field("strict", j.strict, {.help = "the first video that can't be used is an error"});
  l.field("threads", j.threads, {.help = "0 = as many as cores", .unit = "threads", .min = 0, .max = 1024});
}

void describe(Listing& l, SynthJob& j) {
  l.field("output", j.output, {.help = "folder of the videos"});
  l.field("seed", j.seed, {.help = "same seed, same files", .min = 0});
  l.field("num_train", j.num_train,
          {.help = "with characters and motions of their own", .unit = "clips", .min = 0, .max = 1000000});
  l.field("num_val_a", j.num_val_a,
          {.help = "unseen characters, seen motions", .unit = "clips", .min = 0, .max = 1000000});
  l.field("num_val_b", j.num_val_b,
          {.help = "seen characters, unseen motions", .unit = "clips", .min = 0, .max = 1000000});
  l.field("num_val_c", j.num_val_c,
          {.help = "unseen characters and motions", .unit = "clips", .min = 0, .max = 1000000});
  l.field("num_frames", j.num_frames, {.help = "per clip", .unit = "frames", .min = 1, .max = 10000});
  l.field("width", j.width, {.help = "even, as H.264 needs it", .unit = "pixels", .min = 16, .max = 4096});
  l.field("height", j.height, {.help = "even, as H.264 needs it", .unit = "pixels", .min = 16, .max = 4096});
  l.field("fps", j.fps, {.help = "frame rate", .unit = "frames/s", .min = 1, .max = 240});
  l.field("puppet_height", j.puppet_height,
          {.help = "share of the picture's height, on average", .min = 0.1, .max = 1});
  l.field("striped_share", j.striped_share, {.help = "share of tops with a pattern", .min = 0, .max = 1});
  l.field("scarf", j.scarf, {.help = "a scarf or pony-tail that lags behind the motion"});
  l.field("masks", j.masks, {.help = "also write foreground masks"});
  l.field("crf", j.crf, {.help = "H.264 quality; lower is better", .min = 0, .max = 51});
  l.field("threads", j.threads, {.help = "0 = as many as cores", .unit = "threads", .min = 0, .max = 1024});
}

void describe(Listing& l, CacheJob& j) {
  l.field("stage", j.stage, {.help = "which samples: 1 single pictures, 2 clips", .min = 1, .max = 2});
  l.field("device", j.device, {.help = "cpu, cuda or cuda:1"});
  l.field("tf32", j.tf32, {.help = "precision.tf32 of the training"});
  l.field("repeatable", j.repeatable, {.help = "precision.repeatable of the training"});
  l.field("threads", j.threads, {.help = "0 = as many as cores", .unit = "threads", .min = 0, .max = 1024});
  l.section("model", j.model, "Networks");
  l.section("data", j.data, "Samples");
  l.section("cache", j.cache, "Store of encoded pictures");
}

void describe(Listing& l, EvalJob& j) {
  l.field("run", j.run,
          {.help = "generate from this run, with its validation's sampling where that is left open; or give "
                   "results"});
  l.field("results", j.results, {.help = "videos to judge"});
  l.field("truths", j.truths, {.help = "one per result"});
  l.field("masks", j.masks, {.help = "foreground, one per result; [] = none"});
  l.field("backgrounds", j.backgrounds, {.help = "pictures without the figure, one per result; [] = none"});
  l.field("baseline_run", j.baseline_run,
          {.help = "with run: also generate from this one (stage 1) and compare clip by clip"});
  l.field("output", j.output, {.help = "with run: folder for the clips generated | truth; '' = RUN/eval"});
  l.field("index", j.index, {.help = "with run: clip index to generate from"});
  l.field("splits", j.splits, {.help = "with run: splits of the index; [] = all"});
  l.field("num_clips", j.num_clips,
          {.help = "with run: clips generated", .unit = "clips", .min = 1, .max = kMaxClips});
  l.field("num_frames", j.num_frames,
          {.help = "with run: per clip", .unit = "frames", .min = 1, .max = kMaxFrames});
  l.field("steps", j.steps, {.help = "with run: denoising steps", .unit = "steps", .min = 1, .max = 1000});
  l.field("guidance_scale", j.guidance_scale, {.help = "with run; 1 = none", .min = 0, .max = 100});
  l.field("seed", j.seed, {.help = "of the noise", .min = 0});
  l.field("same_noise_per_frame", j.same_noise_per_frame,
          {.help = "with run: every frame of a clip starts from the same noise"});
  l.field("timestep_spacing", j.timestep_spacing, {.help = "with run: which timesteps the steps visit"});
  l.field("beta_schedule", j.beta_schedule,
          {.help = "with run: of the sampler: the one of training, or another"});
  l.field("dtype", j.dtype,
          {.help = "with run: numbers of the networks; as_trained: each run's mixed_precision (but fp16 on a "
                   "CPU is fp32)"});
  l.field("bank_dtype", j.bank_dtype,
          {.help = "with run: numbers of the reference bank; as_trained: each run's"});
  l.field("wrong_reference", j.wrong_reference,
          {.help = "also measure the gap to another character's reference"});
  l.field(
      "keep_latents", j.keep_latents,
      {.help = "with run: also write each clip's generated latents and true pictures, as CLIP.safetensors, "
               "which a codec's decoder can be trained on"});
  l.field("mask_threshold", j.mask_threshold,
          {.help = "distance from the background that counts as foreground", .min = 0, .max = 1});
  l.field("device", j.device, {.help = "cpu, cuda or cuda:1"});
  l.field("threads", j.threads, {.help = "0 = as many as cores", .unit = "threads", .min = 0, .max = 1024});
}

Status validate(const SynthJob& job) {
  if (job.width % 2 != 0 || job.height % 2 != 0)
    return broken(fmt::format("width and height must be even, found {} x {}", job.width, job.height));
  if (job.num_train + job.num_val_a + job.num_val_b + job.num_val_c == 0)
    return broken("num_train and num_val_a, _b, _c are all 0: nothing to render");
  if (job.num_train == 0 && (job.num_val_a > 0 || job.num_val_b > 0))
    return broken(
        "num_val_a and num_val_b re-use motions and characters of the training clips: num_train must not be "
        "0");
  return {};
}

Status validate(const CacheJob& job) {
  ZT_TRY(validate_model(job.model));
  ZT_TRY(validate_data(job.data, job.model));
  return validate_device(job.device);
}

Status validate(const EvalJob& job) {
  if (job.run.empty() == job.results.empty())
    return broken("give either run (and index) or results (and truths)");
  if (!job.run.empty() && job.index.empty()) return broken("run needs index: the clips to generate");
  if (job.truths.size() != job.results.size())
    return broken(fmt::format("one of truths per result: {} truths, {} results", job.truths.size(),
                              job.results.size()));
  if (!job.masks.empty() && job.masks.size() != job.results.size())
    return broken(fmt::format("one of masks per result, or none: {} masks, {} results", job.masks.size(),
                              job.results.size()));
  if (!job.backgrounds.empty() && job.backgrounds.size() != job.results.size())
    return broken(fmt::format("one of backgrounds per result, or none: {} backgrounds, {} results",
                              job.backgrounds.size(), job.results.size()));
  if (!job.baseline_run.empty() && job.run.empty())
    return broken("baseline_run needs run, which it is compared with");
  return validate_device(job.device);
}

}  // namespace zt::config
