// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

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

/// How many clips have each value.
using Counts = std::map<std::string, int64_t>;

template <class Value>
Counts count(const ClipIndex& index, Value value) {
  Counts counts;
  for (const ClipRecord& clip : index.clips) ++counts[value(clip)];
  return counts;
}

// "splits   train 1000, val_a 16", most frequent first; beyond `kShown` values only their number.
std::string counted(std::string_view title, const Counts& counts) {
  constexpr size_t kShown = 8;
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
  const std::pair<const char*, Counts> groups[] = {
      {"splits", count(index, [](const ClipRecord& clip) { return clip.split; })},
      {"sizes", count(index, size_of)},
      {"rates", count(index, rate_of)},
      {"poses", count(index, pose_source)}};
  nlohmann::ordered_json json = {
      {"clips", summary.clips}, {"frames", summary.frames}, {"seconds", summary.seconds}};
  summary.text = fmt::format("{:<9}{} clips, {} frames, {:.1f} s\n", "total", summary.clips, summary.frames,
                             summary.seconds);
  for (const auto& [title, counts] : groups) {
    json[title] = counts;
    if (!counts.empty()) summary.text += counted(title, counts);
  }
  summary.json = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  if (index.clips.empty()) return summary;
  summary.text += rows(index, max_rows);
  return summary;
}

}  // namespace zt::data
