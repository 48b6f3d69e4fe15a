// SPDX-License-Identifier: Apache-2.0
#include "config/job/generate_job.hpp"

#include <fmt/format.h>

#include "config/internal/limits.hpp"
#include "config/internal/rules.hpp"
#include "config/listing.hpp"

namespace zt::config {

void describe(Listing& l, ContextJob& c) {
  l.field(
      "frames", c.frames,
      {.help = "window length; with run and left open, at most that of its clips (data.n_sample_frames), and "
               "never above its model.motion.max_len",
       .unit = "frames",
       .min = 1,
       .max = 4096});
  l.field("stride", c.stride,
          {.help = "compat mode: also windows of every 2nd, 4th, ... frame up to 2^(stride - 1)",
           .min = 1,
           .max = 16});
  l.field("overlap", c.overlap,
          {.help = "frames that neighbouring windows share",
           .unit = "frames",
           .min = 0,
           .max = kMaxWindowFrames});
  l.field("mode", c.mode,
          {.help = "better: windows shift from step to step and end with the clip; compat: the reference's"});
  l.field("closed_loop", c.closed_loop,
          {.help = "compat mode: windows run on from the clip's end into its beginning"});
  l.field("divide_overlaps", c.divide_overlaps,
          {.help = "average overlapping predictions; false: the reference's sum when guidance_scale <= 1"});
}

namespace {

/// What is made of what, and where it goes.
void describe_files(Listing& l, GenerateJob& j) {
  l.field("run", j.run,
          {.help = "run folder: its best checkpoint and its model section; what is left open of size, "
                   "windows, sampling (its validation's) and the drawing of poses is the run's as well"});
  l.field("weights", j.weights,
          {.help = "or a folder of Moore-layout or diffusers files; what is left open of schedule and the "
                   "drawing of poses is what it says",
           .names = Names::Input});
  l.field("use_ema", j.use_ema, {.help = "averaged weights where the run has them"});
  l.field("reference_image", j.reference_image, {.help = "picture of the character", .names = Names::Input});
  l.field("pose", j.pose, {.help = "pose video, or key-points", .names = Names::Input});
  describe(l, static_cast<PoseDrawing&>(j));
  l.field("output", j.output,
          {.help = ".mp4, .mov, .mkv or .avi to write, through a link if it is one; '' = named after the "
                   "inputs, in output_dir"});
  l.field("output_dir", j.output_dir, {.help = "folder of results without a name"});
  l.field("write_panels", j.write_panels, {.help = "also write reference | pose | result side by side"});
  l.field(
      "width", j.width,
      {.help = "of the result, its file rounded up to even; with run and left open, that of its training, or "
               "in its proportion to the height",
       .unit = "pixels",
       .min = 16,
       .max = 8192});
  l.field(
      "height", j.height,
      {.help = "of the result, its file rounded up to even; with run and left open, that of its training, or "
               "in its proportion to the width",
       .unit = "pixels",
       .min = 16,
       .max = 8192});
  l.field("length", j.length,
          {.help = "of the result; cut to the pose video's", .unit = "frames", .min = 1, .max = kMaxFrames});
}

}  // namespace

void describe(Listing& l, GenerateJob& j) {
  describe_files(l, j);
  l.field("steps", j.steps, {.help = "denoising steps", .unit = "steps", .min = 1, .max = 1000});
  l.field("guidance_scale", j.guidance_scale,
          {.help = "classifier-free guidance; 1 = none", .min = 0, .max = 100});
  l.field("guidance_rescale", j.guidance_rescale,
          {.help = "against over-saturation by guidance; 0 = off", .min = 0, .max = 1});
  l.field("eta", j.eta, {.help = "fresh noise per DDIM step; 0 = none, 1 = as DDPM", .min = 0, .max = 1});
  l.field("seed", j.seed, {.help = "of the noise", .min = 0});
  l.field("same_noise_per_frame", j.same_noise_per_frame, {.help = "every frame starts from the same noise"});
  l.field("timestep_spacing", j.timestep_spacing,
          {.help = "which timesteps the steps visit; left open, what the scheduler/ of weights says"});
  l.field("beta_schedule", j.beta_schedule, {.help = "of the sampler: the one of training, or another"});
  l.field("interpolation_factor", j.interpolation_factor,
          {.help = "k: k - 1 latents are put between neighbours; 1 = off", .min = 1, .max = 64});
  l.field("interpolation", j.interpolation, {.help = "how they are mixed"});
  l.field("clip_resize", j.clip_resize,
          {.help = "reference picture for the image encoder: shortest side and centre crop, or squashed to a "
                   "square"});
  l.field("align", j.align, {.help = "fit the poses (key-points) to the reference's proportions"});
  l.field("reference_keypoints", j.reference_keypoints,
          {.help = "with align: key-points of the reference picture", .names = Names::Input});
  l.field("fps", j.fps, {.help = "0 = the pose video's own", .unit = "frames/s", .min = 0, .max = 1000});
  l.field("crf", j.crf, {.help = "H.264 quality; lower is better", .min = 0, .max = 51});
  l.field("pixel_rounding", j.pixel_rounding, {.help = "of the result's grey levels to bytes"});
  l.field("decode_chunk_frames", j.decode_chunk_frames,
          {.help = "per call of the pose guider and the codec; bounds memory",
           .unit = "frames",
           .min = 1,
           .max = kMaxFrames});
  l.field("dtype", j.dtype,
          {.help = "numbers of the networks; as_trained: the run's mixed_precision (but fp16 on a CPU is "
                   "fp32); fp32 for files"});
  l.field("bank_dtype", j.bank_dtype,
          {.help = "numbers of the reference bank; fp16 is the reference's unconditional cast; as_trained: "
                   "the run's; compute for files"});
  l.field("compat", j.compat,
          {.help = "moore: defaults are those of MooreThreads/Moore-AnimateAnyone where they differ"});
  l.field("device", j.device, {.help = "cpu, cuda or cuda:1"});
  l.field("threads", j.threads, {.help = "0 = as many as cores", .unit = "threads", .min = 0, .max = 1024});
  l.section("context", j.context, "How a clip longer than one window is cut");
  l.section("schedule", j.schedule,
            "How the weights were trained; a run brings its own, and a folder may "
            "(scheduler/scheduler_config.json)");
  l.section("model", j.model, "Single files; used when run and weights are empty");
}

namespace {

constexpr double kLeastFps = 0.1;  // a frame of ten seconds; rates are kept to a thousandth

}  // namespace

Status validate(const GenerateJob& job) {
  if (job.fps > 0 && job.fps < kLeastFps)
    return broken(fmt::format("fps: wanted 0 (the pose video's own rate) or {} to 1000 (frames/s), found {}",
                              kLeastFps, job.fps));
  if (!job.run.empty() && !job.weights.empty()) return broken("run and weights exclude each other: give one");
  if (job.context.overlap >= job.context.frames)
    return broken(fmt::format("context.overlap ({}) must be less than context.frames ({})",
                              job.context.overlap, job.context.frames));
  if (job.run.empty() && job.weights.empty()) ZT_TRY(validate_model(job.model));
  ZT_TRY(validate_schedule(job.schedule));
  return validate_device(job.device);
}

}  // namespace zt::config
