// SPDX-License-Identifier: Apache-2.0
#include "quality/score.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <stdexcept>

#include "quality/foreground.hpp"
#include "quality/motion.hpp"
#include "quality/picture.hpp"

namespace zt::quality {
namespace {

using enum Metric;

constexpr std::array<MetricInfo, 11> kMetrics{{
    {Psnr, "psnr", "PSNR", "dB", true,
     "10 log10(255^2 / mse) over pixels and channels; mean of the frames' values"},
    {PsnrDisco, "psnr_disco", "PSNR (DisCo)", "dB", true,
     "as published tables of this family: differences and squares wrap round in uint8, which inflates it"},
    {Ssim, "ssim", "SSIM", "", true,
     "Wang et al. 2004 on luma: 11 x 11 Gaussian, sigma 1.5, population variance"},
    {SsimRgb, "ssim_rgb", "SSIM (RGB)", "", true, "the same on each colour channel, then the mean"},
    {L1, "l1", "L1", "", false, "mean absolute difference / 255"},
    {ForegroundPsnr, "foreground_psnr", "foreground PSNR", "dB", true,
     "PSNR over the pixels of the true mask"},
    {MaskIou, "mask_iou", "mask IoU", "", true,
     "pixels that differ from the true background by more than the mask threshold in some channel, against "
     "the true mask"},
    {Flicker, "flicker", "flicker", "levels", false,
     "mean absolute change between frames on pixels that are background in both true masks"},
    {TemporalError, "temporal_error", "temporal error", "levels", false,
     "mean absolute difference of the frame-to-frame change from the truth's, on foreground of either frame"},
    {TailTemporalError, "tail_temporal_error", "temporal error of the tail", "levels", false,
     "the same on the pixels of the part that lags behind the motion (scarf, pony-tail)"},
    {PoseError, "pose_error", "pose error", "px", false,
     "distance of coloured parts found in the clip and in the truth; a missed part counts as the search "
     "radius"},
}};

bool same_size(const image::Image& a, const image::Image& b, int channels) {
  return a.width == b.width && a.height == b.height && a.channels == channels;
}

Status check(const ClipPair& pair) {
  const size_t count = pair.truth.size();
  const auto wrong = [](std::string what) {
    return fail(ErrorCode::InvalidArgument, "clips can't be compared: " + what);
  };
  if (count == 0 || pair.generated.size() != count) {
    return wrong(fmt::format("{} generated frames, {} true ones", pair.generated.size(), count));
  }
  const image::Image& first = pair.truth[0];
  for (size_t t = 0; t < count; ++t) {
    for (const image::Image* frame : {&pair.generated[t], &pair.truth[t]}) {
      if (first.empty() || !same_size(*frame, first, 3)) {
        return wrong(fmt::format("frame {} is {} x {} instead of {} x {} with 3 channels", t, frame->width,
                                 frame->height, first.width, first.height));
      }
    }
  }
  if (!pair.truth_masks.empty() && pair.truth_masks.size() != count) {
    return wrong(fmt::format("{} masks for {} frames", pair.truth_masks.size(), count));
  }
  if (!pair.tail_masks.empty() && pair.tail_masks.size() != count) {
    return wrong(fmt::format("{} tail masks for {} frames", pair.tail_masks.size(), count));
  }
  for (const auto& masks : {pair.truth_masks, pair.tail_masks}) {
    for (const image::Image& mask : masks) {
      if (!same_size(mask, first, 1)) return wrong("a mask has not the frames' size and one channel");
    }
  }
  if (pair.background && !same_size(pair.background->picture, first, 3))
    return wrong("the background has another size");
  if (!pair.joints.empty() && pair.joints.size() != count) {
    return wrong(fmt::format("joints of {} frames for {}", pair.joints.size(), count));
  }
  return {};
}

// Mean over the frames that have a value.
std::optional<double> frame_mean(size_t count, const std::function<std::optional<double>(size_t)>& measure) {
  double sum = 0;
  int64_t measured = 0;
  for (size_t t = 0; t < count; ++t) {
    const std::optional<double> value = measure(t);
    if (!value) continue;
    sum += *value;
    ++measured;
  }
  if (measured == 0) return std::nullopt;
  return sum / static_cast<double>(measured);
}

// Over all joints of all frames alike, so that a frame with few visible ones does not weigh more.
std::optional<double> clip_pose_error(const ClipPair& pair) {
  double sum_px = 0;
  int64_t counted = 0;
  for (size_t t = 0; t < pair.joints.size(); ++t) {
    const auto error = pose_error(pair.generated[t], pair.truth[t], pair.joints[t], pair.joint_search);
    const int joints = error.found + error.missed;
    if (joints == 0) continue;
    sum_px += error.mean_px * joints;
    counted += joints;
  }
  if (counted == 0) return std::nullopt;
  return sum_px / static_cast<double>(counted);
}

}  // namespace

std::span<const MetricInfo> metric_infos() { return kMetrics; }
const MetricInfo& metric_info(Metric metric) { return kMetrics[static_cast<size_t>(metric)]; }

Result<ClipScores> score_clip(const ClipPair& pair) {
  ZT_TRY(check(pair));
  constexpr int kSsimSide = 11;
  const size_t count = pair.truth.size();
  const auto& made = pair.generated;
  const auto& truth = pair.truth;
  const bool fits_ssim = truth[0].width >= kSsimSide && truth[0].height >= kSsimSide;
  ClipScores scores{std::vector<std::optional<double>>(kMetrics.size())};
  const auto set = [&](Metric metric, std::optional<double> value) {
    scores.values[static_cast<size_t>(metric)] = value;
  };

  set(Psnr, frame_mean(count, [&](size_t t) { return psnr(made[t], truth[t]); }));
  set(PsnrDisco, frame_mean(count, [&](size_t t) { return psnr_disco(made[t], truth[t]); }));
  set(L1, frame_mean(count, [&](size_t t) { return l1(made[t], truth[t]); }));
  if (fits_ssim) {
    set(Ssim, frame_mean(count, [&](size_t t) { return ssim(made[t], truth[t]); }));
    set(SsimRgb, frame_mean(count, [&](size_t t) { return ssim_per_channel(made[t], truth[t]); }));
  }
  if (!pair.truth_masks.empty()) {
    const auto& masks = pair.truth_masks;
    set(ForegroundPsnr,
        frame_mean(count, [&](size_t t) { return foreground_psnr(made[t], truth[t], masks[t]); }));
    set(Flicker, flicker(made, masks));
    set(TemporalError, temporal_error(made, truth, masks));
    if (const auto& behind = pair.background) {
      set(MaskIou, frame_mean(count, [&](size_t t) {
            return mask_iou(foreground_mask(made[t], behind->picture, behind->threshold), masks[t]);
          }));
    }
  }
  if (!pair.tail_masks.empty()) set(TailTemporalError, temporal_error(made, truth, pair.tail_masks));
  set(PoseError, clip_pose_error(pair));
  return scores;
}

std::vector<MetricSummary> summarize(std::span<const ClipScores> clips) {
  std::vector<MetricSummary> table;
  for (const MetricInfo& info : kMetrics) {
    std::vector<double> values;
    for (const ClipScores& clip : clips) {
      if (const auto value = clip[info.metric]) values.push_back(*value);
    }
    if (!values.empty()) table.push_back({info.metric, mean_interval(values)});
  }
  return table;
}

Interval compare(std::span<const ClipScores> a, std::span<const ClipScores> b, Metric metric) {
  if (a.size() != b.size()) throw std::invalid_argument("paired clips must be equally many");
  std::vector<double> values_a, values_b;
  for (size_t i = 0; i < a.size(); ++i) {
    const auto value_a = a[i][metric], value_b = b[i][metric];
    if (!value_a || !value_b) continue;
    values_a.push_back(*value_a);
    values_b.push_back(*value_b);
  }
  return paired_t(values_a, values_b);
}

}  // namespace zt::quality
