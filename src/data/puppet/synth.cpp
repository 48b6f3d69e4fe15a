// SPDX-License-Identifier: Apache-2.0
#include "data/puppet/synth.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>

#include "base/files/files.hpp"
#include "base/parallel.hpp"
#include "base/process/resources.hpp"
#include "config/load.hpp"
#include "data/keypoints/draw_pose.hpp"
#include "data/keypoints/keypoints.hpp"
#include "data/puppet/internal/synth_plan.hpp"
#include "image/file.hpp"
#include "media/video_writer.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;
using internal::SynthClip;

Status check(const config::SynthJob& job) {
  if (job.output.empty())
    return fail(ErrorCode::InvalidConfig, "output is not set: give the folder to make (-o)");
  return config::check(job);
}

// A folder is ours if synth.json says so with equal values.
Status claim_folder(const fs::path& folder, const std::string& identity) {
  ZT_TRY(files::make_folders(folder));
  const fs::path marker = folder / "synth.json";
  files::remove_leftovers_of(marker);
  std::error_code error;
  if (!fs::exists(marker, error)) {
    if (!fs::is_empty(folder, error) && !error)
      return fail(ErrorCode::AlreadyExists,
                  fmt::format("{} is not empty and holds no synthetic data set; name another folder",
                              folder.string()));
    return files::write_atomic(marker, identity);
  }
  ZT_TRY_ASSIGN(const std::string found, files::read(marker));
  if (found == identity) return {};
  return fail(ErrorCode::AlreadyExists,
              fmt::format("{} holds a data set made with other values; name another folder or remove it\n"
                          "found: {}wanted: {}",
                          folder.string(), found, identity));
}

// An upper estimate: a pixel of H.264 at such sizes takes well under one byte in all files together, a file
// at least a few blocks.
Status check_space(const config::SynthJob& job, size_t num_clips) {
  // First: a file system that can't be written to may say that it is full, too.
  if (num_clips > 0) ZT_TRY(files::require_writable(fs::path(job.output) / "synth.json"));
  const auto pixels = static_cast<uint64_t>(job.width * job.height * job.num_frames);
  const resources::Demand clips = {
      fmt::format(
          "{} clips that are not there yet, of {} frames of {} x {} (1 B a pixel and 48 KiB, estimate)",
          num_clips, job.num_frames, job.width, job.height),
      num_clips * (pixels + (uint64_t{48} << 10))};
  return resources::require_disk(job.output, {&clips, 1},
                                 "free space, name another folder (-o), or make fewer or smaller clips");
}

size_t threads_of(const config::SynthJob& job) {
  return static_cast<size_t>(job.threads > 0 ? job.threads : resources::cores());
}

// All pictures of a clip at once on every thread, and those that the encoder holds: x264 looks 40 ahead.
Status check_memory(const config::SynthJob& job, size_t num_clips) {
  constexpr uint64_t kRgbBytes = 3, kEncoderPictures = 64;
  const auto threads = static_cast<uint64_t>(std::min(threads_of(job), num_clips));
  const auto pixels = static_cast<uint64_t>(job.width * job.height);
  const auto frames = static_cast<uint64_t>(job.num_frames);
  const uint64_t streams = job.masks ? 4 : 2;  // pictures, poses, masks, labels
  const std::string where = threads == 1 ? "1 thread" : fmt::format("{} threads", threads);
  const resources::Demand demands[] = {{fmt::format("{} streams of {} frames of {} x {} on {} (3 B a pixel)",
                                                    streams, frames, job.width, job.height, where),
                                        threads * streams * frames * pixels * kRgbBytes},
                                       {fmt::format("encoding on {} ({} pictures of 1.5 B a pixel, estimate)",
                                                    where, std::min(frames, kEncoderPictures)),
                                        threads * std::min(frames, kEncoderPictures) * pixels * 3 / 2}};
  return resources::require_memory(demands,
                                   "make shorter or smaller clips, or fewer at a time: --set threads=1");
}

image::Image as_rgb(const image::Image& grey, int factor) {
  image::Image picture(grey.width, grey.height);
  for (size_t i = 0; i < grey.pixels.size(); ++i)
    std::fill_n(picture.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i), 3,
                static_cast<uint8_t>(grey.pixels[i] * factor));
  return picture;
}

struct ClipPictures {
  std::vector<image::Image> pictures, poses, masks, labels;
  KeypointClip keypoints;
};

ClipPictures render(const config::SynthJob& job, const Puppet& puppet) {
  ClipPictures clip;
  clip.keypoints.width = static_cast<int>(job.width);
  clip.keypoints.height = static_cast<int>(job.height);
  clip.keypoints.fps_num = job.fps;
  clip.keypoints.source = "puppet";
  DrawOptions style;
  style.style = PoseStyle::Puppet;
  for (int64_t f = 0; f < job.num_frames; ++f) {
    PuppetFrame frame = puppet.render(f);
    clip.keypoints.frames.push_back(puppet.keypoints(f));
    clip.poses.push_back(
        draw_pose(clip.keypoints.frames.back(), clip.keypoints.width, clip.keypoints.height, style));
    clip.pictures.push_back(std::move(frame.picture));
    if (!job.masks) continue;
    clip.masks.push_back(as_rgb(frame.mask, 1));
    clip.labels.push_back(as_rgb(frame.labels, kLabelStep));
  }
  return clip;
}

// Each file appears whole or not at all; a clip is complete when all of them are there.
Status write_clip(const config::SynthJob& job, const SynthClip& clip) {
  const fs::path root = job.output;
  const Puppet puppet(internal::puppet_options(job), static_cast<uint64_t>(clip.character),
                      static_cast<uint64_t>(clip.motion));
  const ClipPictures made = render(job, puppet);
  media::VideoWriterOptions options;
  options.width = static_cast<int>(job.width);
  options.height = static_cast<int>(job.height);
  options.fps = {job.fps, 1};
  options.crf = static_cast<int>(job.crf);
  ZT_TRY(media::write_video(root / clip.video, made.pictures, options));
  ZT_TRY(media::write_video(root / clip.pose, made.poses, options));
  ZT_TRY(write_keypoints(root / clip.keypoints, made.keypoints));
  if (!job.masks) return {};
  options.crf = 0;
  ZT_TRY(media::write_video(root / clip.mask, made.masks, options));
  ZT_TRY(media::write_video(root / clip.labels, made.labels, options));
  return image::write_png(root / clip.background, puppet.background());
}

bool is_complete(const fs::path& root, const SynthClip& clip) {
  const auto files = clip.files();
  return std::all_of(files.begin(), files.end(), [&](const fs::path& file) {
    std::error_code error;
    return fs::is_regular_file(root / file, error);
  });
}

Status make_clip_folders(const fs::path& root, const std::vector<SynthClip>& clips) {
  fs::path last;
  for (const SynthClip& clip : clips) {
    if (clip.video.parent_path() == last) continue;
    last = clip.video.parent_path();
    for (const fs::path& file : clip.files()) ZT_TRY(files::make_folders(root / file.parent_path()));
  }
  return {};
}

// Makes what is missing on several threads; the first error ends it.
Result<int64_t> write_clips(const config::SynthJob& job, const std::vector<SynthClip>& clips,
                            const SynthProgress& progress) {
  std::mutex mutex;
  std::optional<Error> first_error;
  std::atomic<bool> has_failed = false;
  int64_t done = 0, kept = 0;
  parallel_for(clips.size(), threads_of(job), [&](size_t i) {
    if (has_failed) return;
    const bool is_there = is_complete(job.output, clips[i]);
    Status status = is_there ? Status{} : write_clip(job, clips[i]);
    const std::lock_guard lock(mutex);
    if (!status && !has_failed) {
      has_failed = true;
      first_error = std::move(status).error().with(fmt::format("while making {}", clips[i].video.string()));
    }
    if (has_failed) return;
    kept += is_there ? 1 : 0;
    if (++done; progress) progress(done, static_cast<int64_t>(clips.size()));
  });
  if (first_error) return fail(*std::move(first_error));
  return kept;
}

}  // namespace

Result<SynthReport> synth(const config::SynthJob& job, const SynthProgress& progress) {
  const auto start = std::chrono::steady_clock::now();
  ZT_TRY(check(job));
  const std::vector<SynthClip> clips = internal::plan_synth(job);
  const auto missing = std::count_if(clips.begin(), clips.end(),
                                     [&](const SynthClip& clip) { return !is_complete(job.output, clip); });
  ZT_TRY(check_memory(job, static_cast<size_t>(missing)));
  ZT_TRY(check_space(job, static_cast<size_t>(missing)));
  ZT_TRY(claim_folder(job.output, internal::synth_identity(job)));
  files::remove_leftovers(job.output);
  ZT_TRY(make_clip_folders(job.output, clips));
  SynthReport report;
  ZT_TRY_ASSIGN(report.kept, write_clips(job, clips, progress));
  // Last, so that a list only names clips that are there.
  const fs::path root = job.output;
  for (const std::string_view split : internal::kSynthSplits)
    ZT_TRY(files::write_atomic(root / fmt::format("{}_meta.json", split),
                               internal::synth_meta(clips, split, root)));

  report.clips = static_cast<int64_t>(clips.size());
  report.frames = report.clips * job.num_frames;
  for (const SynthClip& clip : clips) {
    for (const fs::path& file : clip.files()) {
      std::error_code error;
      const auto size = fs::file_size(root / file, error);
      if (!error) report.bytes += static_cast<int64_t>(size);
    }
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace zt::data
