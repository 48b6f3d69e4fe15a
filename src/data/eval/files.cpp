// SPDX-License-Identifier: Apache-2.0
#include "data/eval/files.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "image/file.hpp"
#include "media/video_reader.hpp"

namespace zt::data {
namespace {

using image::Image;

Result<std::vector<Image>> read_clip(const std::string& path) {
  ZT_TRY_ASSIGN(auto reader, media::VideoReader::open(path));
  std::vector<Image> frames;
  for (;;) {
    ZT_TRY_ASSIGN(auto frame, reader.next());
    if (!frame) return frames;
    frames.push_back(*std::move(frame));
  }
}

Image first_channel(const Image& picture) {
  Image mask(picture.width, picture.height, 1);
  for (size_t i = 0; i < mask.pixels.size(); ++i)
    mask.pixels[i] = picture.pixels[i * static_cast<size_t>(picture.channels)];
  return mask;
}

Result<quality::ClipScores> judge(const config::EvalJob& job, size_t i) {
  ZT_TRY_ASSIGN(const std::vector<Image> generated, read_clip(job.results[i]));
  ZT_TRY_ASSIGN(const std::vector<Image> truth, read_clip(job.truths[i]));
  quality::ClipPair pair{.generated = generated, .truth = truth};
  std::vector<Image> masks;
  if (!job.masks.empty()) {
    ZT_TRY_ASSIGN(const std::vector<Image> pictures, read_clip(job.masks[i]));
    for (const Image& picture : pictures) masks.push_back(first_channel(picture));
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
