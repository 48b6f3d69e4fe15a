// SPDX-License-Identifier: Apache-2.0
// All measures of one generated clip against the true one, and their means over clips: what `zoetrope eval`
// prints.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "image/image.hpp"
#include "quality/joints.hpp"
#include "quality/statistics.hpp"

namespace zt::quality {

/// The measures, in the order of tables.
enum class Metric {
  Psnr,
  PsnrDisco,
  Ssim,
  SsimRgb,
  L1,
  ForegroundPsnr,
  MaskIou,
  Flicker,
  TemporalError,
  TailTemporalError,
  PoseError
};

struct MetricInfo {
  Metric metric;
  std::string_view key;    ///< in --json, e.g. "foreground_psnr"
  std::string_view title;  ///< in tables
  std::string_view unit;   ///< "dB", "px", "levels" or ""
  bool larger_is_better;
  std::string_view convention;  ///< one sentence: how it is computed, but for numbers that a job chooses
};
/// One row per Metric, in its order.
std::span<const MetricInfo> metric_infos();
const MetricInfo& metric_info(Metric metric);

/// The true, still background, and how the figure is told from it.
struct StillBackground {
  image::Image picture;
  int threshold;  ///< grey levels: what differs by more is figure
};

/// A clip to be scored. Empty spans: the measures that need them are left out.
struct ClipPair {
  std::span<const image::Image> generated{};
  std::span<const image::Image> truth{};
  /// One channel each: foreground PSNR, IoU, flicker, temporal error.
  std::span<const image::Image> truth_masks{};
  std::optional<StillBackground> background = std::nullopt;  ///< IoU
  /// Like truth_masks, of the part that lags behind the motion (a puppet's scarf or pony-tail): its temporal
  /// error.
  std::span<const image::Image> tail_masks{};
  std::span<const std::vector<ColouredJoint>> joints{};  ///< per frame: pose error
  JointSearch joint_search{};
};

/// Values of one clip, by Metric; nothing where it can't be computed. Frame measures are means over frames
/// (PSNR: mean of the frames' PSNR, as papers of this family do).
struct ClipScores {
  std::vector<std::optional<double>> values;
  std::optional<double> operator[](Metric metric) const { return values[static_cast<size_t>(metric)]; }
};
/// Errors: InvalidArgument if there are no frames, or the two clips, masks or joints differ in count or size.
Result<ClipScores> score_clip(const ClipPair& pair);

/// Mean and 95 % interval over the clips that have the measure.
struct MetricSummary {
  Metric metric;
  Interval interval;
};
/// One per Metric that at least one clip has, in their order.
std::vector<MetricSummary> summarize(std::span<const ClipScores> clips);

/// Paired difference a - b of one measure over clips that have it in both. Requires: equal lengths.
Interval compare(std::span<const ClipScores> a, std::span<const ClipScores> b, Metric metric);

}  // namespace zt::quality
