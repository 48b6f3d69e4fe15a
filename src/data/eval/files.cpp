// SPDX-License-Identifier: Apache-2.0
#include "data/eval/files.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/process/resources.hpp"
#include "image/file.hpp"
#include "media/video_info.hpp"
#include "media/video_reader.hpp"

namespace zt::data {
namespace {

using image::Image;

Image first_channel(const Image& picture) {
  Image mask(picture.width, picture.height, 1);
  for (size_t i = 0; i < mask.pixels.size(); ++i)
    mask.pixels[i] = picture.pixels[i * static_cast<size_t>(picture.channels)];
  return mask;
}

enum class Channels { All, First };

Result<std::vector<Image>> read_clip(const std::string& path, Channels channels = Channels::All) {
  ZT_TRY_ASSIGN(auto reader, media::VideoReader::open(path));
  std::vector<Image> frames;
  for (;;) {
    ZT_TRY_ASSIGN(auto frame, reader.next());
    if (!frame) break;
    frames.push_back(channels == Channels::All ? *std::move(frame) : first_channel(*frame));
  }
  ZT_TRY(media::require_whole(path, reader.report()));
  return frames;
}

/// All frames of a video by its header; nothing of one that can't be opened: judging says why.
uint64_t bytes_of(const std::string& path, uint64_t channels) {
  const auto info = media::probe(path);
  if (!info) return 0;
  const auto num_frames = static_cast<uint64_t>(
      info->num_frames > 0 ? info->num_frames : std::llround(info->duration_s * info->fps.value()));
  return static_cast<uint64_t>(info->width) * static_cast<uint64_t>(info->height) * num_frames * channels;
}

/// Room for the largest result with its truth and its mask, of which every frame is held.
Status check_memory(const config::EvalJob& job) {
  resources::Demand largest;
  for (size_t i = 0; i < job.results.size(); ++i) {
    const uint64_t bytes = bytes_of(job.results[i], 3) + bytes_of(job.truths[i], 3) +
                           (job.masks.empty() ? 0 : bytes_of(job.masks[i], 1));
    if (bytes > largest.bytes)
      largest = {fmt::format("every frame of {} and of its truth{}", job.results[i],
                             job.masks.empty() ? "" : " and its mask"),
                 bytes};
  }
  return resources::require_memory({&largest, 1}, "cut long videos into parts and judge these");
}

Result<quality::ClipScores> judge(const config::EvalJob& job, size_t i) {
  ZT_TRY_ASSIGN(const std::vector<Image> generated, read_clip(job.results[i]));
  ZT_TRY_ASSIGN(const std::vector<Image> truth, read_clip(job.truths[i]));
  quality::ClipPair pair{.generated = generated, .truth = truth};
  std::vector<Image> masks;
  if (!job.masks.empty()) {
    ZT_TRY_ASSIGN(masks, read_clip(job.masks[i], Channels::First));
    pair.truth_masks = masks;
  }
  if (!job.backgrounds.empty()) {
    ZT_TRY_ASSIGN(Image background, image::read(job.backgrounds[i]));
    pair.background = {std::move(background), mask_threshold_levels(job.mask_threshold)};
  }
  return quality::score_clip(pair);
}

}  // namespace

Result<EvalReport> eval_files(const config::EvalJob& job) {
  const size_t count = job.results.size();
  const auto fits = [&](const std::vector<std::string>& list) {
    return list.empty() || list.size() == count;
  };
  if (count == 0 || job.truths.size() != count || !fits(job.masks) || !fits(job.backgrounds))
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format(
            "{} results, {} truths, {} masks, {} backgrounds: one truth per result is wanted, and one "
            "mask and background each, or none",
            count, job.truths.size(), job.masks.size(), job.backgrounds.size()));
  ZT_TRY(check_memory(job));
  EvalReport report;
  report.mask_threshold_levels = mask_threshold_levels(job.mask_threshold);
  EvalGroup group{"generated", "the videos given", {}};
  for (size_t i = 0; i < count; ++i) {
    auto scores = judge(job, i);
    if (!scores) return fail(std::move(scores).error().with(fmt::format("while judging {}", job.results[i])));
    group.clips.push_back(*std::move(scores));
    report.clips.push_back({std::filesystem::path(job.results[i]).stem().string(), job.results[i]});
  }
  report.groups.push_back(std::move(group));
  return report;
}

}  // namespace zt::data
