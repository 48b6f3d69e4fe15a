// SPDX-License-Identifier: Apache-2.0
// The index: what `data ingest` found out about every usable clip, so that training never probes a file. JSON
// Lines with a header that carries version, count and checksum (docs/formats/index.md). Paths are relative to
// the index file's folder where that is possible.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::data {

/// One clip: a shot of a video file (or a folder of frames) with its pose, and what is known about it.
struct ClipRecord {
  std::string id;           ///< unique in the index, file-name safe
  std::string video;        ///< file, or folder of numbered pictures
  std::string pose_video;   ///< "" if there is none; same frame count as `video`
  std::string keypoints;    ///< "" if there is none; same frame count as `video`
  std::string mask;         ///< foreground mask video or folder; "" if there is none
  std::string labels;       ///< part labels (synthetic clips, data/puppet/labels.hpp); "" if there are none
  std::string background;   ///< picture of the clean background; "" if unknown
  std::string split;        ///< "train", "val_a", "val_b", "val_c" or the user's own word
  std::string content;      ///< digest of the video's bytes: the cache's name for this input (cache.md)
  int64_t first_frame = 0;  ///< of the shot inside the files
  int64_t num_frames = 0;
  int width = 0;  ///< as displayed (after rotation)
  int height = 0;
  int pose_width = 0;  ///< of pose_video, 0 without one
  int pose_height = 0;
  int64_t fps_num = 0;
  int64_t fps_den = 1;
  int64_t character = -1;  ///< synthetic clips, else -1
  int64_t motion = -1;
  int num_people = 0;                            ///< most people seen in a frame, 0 = unknown
  std::array<double, 4> person_box{0, 0, 1, 1};  ///< normalised, around the primary person in all frames

  double fps() const { return fps_den > 0 ? static_cast<double>(fps_num) / static_cast<double>(fps_den) : 0; }
  bool operator==(const ClipRecord&) const = default;
};

struct ClipIndex {
  std::filesystem::path root;  ///< folder of the index file; relative paths of the records start here
  std::vector<ClipRecord> clips;
  bool has_digests = false;  ///< each clip's `content` is that of its bytes: the index was read from a file

  std::filesystem::path path(const std::string& relative) const { return root / relative; }
  /// Names these clips in a run's identity (docs/formats/index.md): XXH3-128, 32 digits, of all that the
  /// records say, in order, but for where files lie and when they were changed. The same after the same
  /// footage was ingested again, moved or copied; another one for other clips or another order, also of a
  /// split. Cost: some microseconds a clip.
  std::string digest() const;
};

inline constexpr int kIndexVersion = 1;

/// The file's text; records are written in the order given.
std::string format_index(const std::vector<ClipRecord>& clips);
/// Errors: Corrupt with the line number (bad JSON, unknown version, wrong count or checksum, impossible
/// values, duplicate ids). Unknown keys are ignored: a later version may add some.
Result<ClipIndex> parse_index(std::string_view text, std::filesystem::path root);

Result<ClipIndex> read_index(const std::filesystem::path& path);
Status write_index(const std::filesystem::path& path, const std::vector<ClipRecord>& clips);

/// The clips of one split ("" = all), with the same root.
ClipIndex select_split(const ClipIndex& index, std::string_view split);
/// The clips of several splits ([] = all). `setting`: for messages, where they are named. Errors:
/// InvalidConfig if there are none, naming the splits there are.
Result<ClipIndex> select_splits(ClipIndex index, const std::vector<std::string>& splits,
                                std::string_view setting = "data.splits");

/// Errors: InvalidConfig if no clip has key-points or a pose video, which training needs.
Status require_poses(const ClipIndex& index);

}  // namespace zt::data
