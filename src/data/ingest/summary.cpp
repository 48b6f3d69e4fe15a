// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "data/ingest/inspect.hpp"

namespace zt::data {
namespace {

std::string pose_source(const ClipRecord& clip) {
  if (!clip.keypoints.empty()) return clip.pose_video.empty() ? "key-points" : "key-points, video";
  return clip.pose_video.empty() ? "none" : "video";
}

std::string size_of(const ClipRecord& clip) { return fmt::format("{} x {}", clip.width, clip.height); }

std::string rate_of(const ClipRecord& clip) {
  return clip.fps() > 0 ? fmt::format("{:.4g} fps", clip.fps()) : "unknown";
}

double seconds_of(const ClipRecord& clip) {
  return clip.fps() > 0 ? static_cast<double>(clip.num_frames) / clip.fps() : 0;
}

// "splits   train 1000, val_a 16", most frequent first; beyond `kShown` values only their number.
template <class Value>
std::string counted(std::string_view title, const ClipIndex& index, Value value) {
  constexpr size_t kShown = 8;
  std::map<std::string, int64_t> counts;
  for (const ClipRecord& clip : index.clips) ++counts[value(clip)];
  std::vector<std::pair<std::string, int64_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text = fmt::format("{:<9}", title);
  for (size_t i = 0; i < std::min(kShown, sorted.size()); ++i)
    text += fmt::format("{}{}: {}", i == 0 ? "" : ", ", sorted[i].first, sorted[i].second);
  if (sorted.size() > kShown) text += fmt::format(", and {} others", sorted.size() - kShown);
  return text + "\n";
}

std::string rows(const ClipIndex& index, size_t max_rows) {
  const size_t shown = std::min(max_rows, index.clips.size());
  size_t widest = 4;
  for (size_t i = 0; i < shown; ++i) widest = std::max(widest, index.clips[i].id.size());
  std::string text = fmt::format("\n{:<{}}  {:<8} {:>8} {:>8}  {:<12} {:<10} {}\n", "clip", widest, "split",
                                 "first", "frames", "size", "rate", "pose");
  for (size_t i = 0; i < shown; ++i) {
    const ClipRecord& clip = index.clips[i];
    text += fmt::format("{:<{}}  {:<8} {:>8} {:>8}  {:<12} {:<10} {}\n", clip.id, widest, clip.split,
                        clip.first_frame, clip.num_frames, size_of(clip), rate_of(clip), pose_source(clip));
  }
  if (shown < index.clips.size()) text += fmt::format("and {} more\n", index.clips.size() - shown);
  return text;
}

}  // namespace

IndexSummary summarise(const ClipIndex& index, size_t max_rows) {
  IndexSummary summary;
  summary.clips = static_cast<int64_t>(index.clips.size());
  for (const ClipRecord& clip : index.clips) {
    summary.frames += clip.num_frames;
    summary.seconds += seconds_of(clip);
  }
  summary.text = fmt::format("{:<9}{} clips, {} frames, {:.1f} s\n", "total", summary.clips, summary.frames,
                             summary.seconds);
  if (index.clips.empty()) return summary;
  summary.text += counted("splits", index, [](const ClipRecord& clip) { return clip.split; });
  summary.text += counted("sizes", index, size_of);
  summary.text += counted("rates", index, rate_of);
  summary.text += counted("poses", index, pose_source);
  summary.text += rows(index, max_rows);
  return summary;
}

}  // namespace zt::data
