// SPDX-License-Identifier: Apache-2.0
#include "config/job/data_job.hpp"

#include "config/internal/limits.hpp"
#include "config/listing.hpp"

namespace zt::config {

void describe(Listing& l, CacheSettings& c) {
  l.field("enable", c.enable,
          {.help = "keep encoded pictures, so that each is encoded once", .resume = Resume::Allow});
  l.field("folder", c.folder,
          {.help = "where; runs share it", .names = Names::Output, .resume = Resume::Allow});
  l.field("size_limit_mib", c.size_limit_mib,
          {.help = "bound of the folder, oldest entries go first; 0 = none",
           .unit = "MiB",
           .min = 0,
           .max = kMaxDiskMib,
           .resume = Resume::Allow});
  l.field("dtype", c.dtype, {.help = "number format of stored latents"});
  l.field("build_ahead", c.build_ahead,
          {.help = "fill it before the first step instead of on first use", .resume = Resume::Allow});
}

namespace {

/// Settings that change when samples are ready, never which they are.
void describe_loading(Listing& l, DataJob& d) {
  l.field("decode_threads", d.decode_threads,
          {.help = "0 = as many as cores; never changes the samples",
           .unit = "threads",
           .min = 0,
           .max = 1024,
           .resume = Resume::Allow});
  l.field("prefetch_batches", d.prefetch_batches,
          {.help = "batches prepared ahead of their step",
           .unit = "batches",
           .min = 0,
           .max = 1024,
           .resume = Resume::Allow});
  l.field("decode_memory_mib", d.decode_memory_mib,
          {.help = "bound for decoded frames and, apart, for samples made ahead",
           .unit = "MiB",
           .min = 16,
           .max = kMaxMemoryMib,
           .resume = Resume::Allow});
}

}  // namespace

void describe(Listing& l, PoseDrawing& d) {
  l.field(
      "pose_style", d.pose_style,
      {.help = "reference: as published guiders were trained on; puppet: smooth capsules for tiny pictures"});
  l.field("draw_hands", d.draw_hands, {.help = "draw hands into the pose picture"});
  l.field("draw_face", d.draw_face, {.help = "draw face points into the pose picture"});
}

void describe(Listing& l, DataJob& d) {
  l.field("index", d.index,
          {.help = "clip index, as `zoetrope data ingest` writes it",
           .names = Names::Input,
           .resume = Resume::IfEmpty});
  l.field("meta_paths", d.meta_paths,
          {.help = "Moore's *_meta.json lists, one after the other; used when index is empty",
           .names = Names::Input});
  l.field("splits", d.splits, {.help = "splits of the index to draw from; [] = all"});
  l.field(
      "accept_change", d.accept_change,
      {.help = "go on from a checkpoint although the clips are others than those it was trained on; those "
               "left out before are then drawn again; a later --resume must say it again",
       .resume = Resume::Allow});
  l.field("train_bs", d.train_bs,
          {.help = "batch size per lane, before accumulation", .unit = "samples", .min = 1, .max = 65536});
  l.field("width", d.width, {.help = "width of a sample", .unit = "pixels", .min = 8, .max = 8192});
  l.field("height", d.height, {.help = "height of a sample", .unit = "pixels", .min = 8, .max = 8192});
  l.field("sample_margin", d.sample_margin,
          {.help = "stage 1: least distance between reference and target",
           .unit = "frames",
           .min = 0,
           .max = kMaxFrames});
  l.field(
      "sample_rate", d.sample_rate,
      {.help = "stage 2: stride between frames of a clip", .unit = "frames", .min = 1, .max = kMaxFrames});
  l.field("n_sample_frames", d.n_sample_frames,
          {.help = "stage 2: length of a clip", .unit = "frames", .min = 1, .max = kMaxWindowFrames});
  l.field("crop_scale", d.crop_scale,
          {.help = "least and greatest share of the picture's area a crop takes; [1, 1] in stage 2",
           .min = 0.01,
           .max = 1,
           .count = 2});
  l.field("crop_ratio", d.crop_ratio,
          {.help = "least and greatest width / height, relative to the sample's own",
           .min = 0.1,
           .max = 10,
           .count = 2});
  l.field(
      "crop_mode", d.crop_mode,
      {.help =
           "shared: one crop for reference, target and pose; per_stream: the reference's crops in pixels"});
  l.field(
      "crop_variants", d.crop_variants,
      {.help = "0: every sample has a random crop of its own, encoded afresh; N: one of N crops, so that the "
               "cache holds their latents (N times the disk)",
       .unit = "crops",
       .min = 0,
       .max = 1024});
  describe(l, static_cast<PoseDrawing&>(d));
  describe_loading(l, d);
}

}  // namespace zt::config
