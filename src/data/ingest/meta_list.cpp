// SPDX-License-Identifier: Apache-2.0
#include "data/ingest/meta_list.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/files/files.hpp"
#include "base/log.hpp"
#include "base/parallel.hpp"
#include "data/content_digest.hpp"
#include "data/ingest/internal/candidate.hpp"
#include "data/internal/whole_video.hpp"
#include "data/keypoints/keypoints.hpp"
#include "data/sample/frame_source.hpp"
#include "image/file.hpp"
#include "media/video_info.hpp"
#include "media/video_reader.hpp"

namespace zt::data {
namespace {

using ingest_internal::Candidate;

struct Look {
  int width = 0;
  int height = 0;
  int64_t num_frames = 0;
  media::Rational fps{0, 1};
};

// Whoever wrote the pictures and was stopped left the last one short, or of another size.
Result<Look> look_at_pictures(const std::filesystem::path& folder) {
  ZT_TRY_ASSIGN(const auto files, list_frames(folder));
  ZT_TRY_ASSIGN(const image::Image first, image::read(files.front()));
  ZT_TRY_ASSIGN(const image::Image last, image::read(files.back()));
  if (first.width != last.width || first.height != last.height)
    return fail(ErrorCode::Corrupt,
                fmt::format("{} is {} x {} pixels and {} is {} x {}", files.front().string(), first.width,
                            first.height, files.back().string(), last.width, last.height));
  return Look{first.width, first.height, static_cast<int64_t>(files.size())};
}

// Frames are counted as the container says, or one by one where it does not.
Result<Look> look_at(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return look_at_pictures(path);
  ZT_TRY_ASSIGN(media::VideoInfo info, media::probe(path));
  if (info.num_frames > 0) {
    ZT_TRY(internal::require_end(path, info.num_frames));
  } else {
    media::ProbeOptions options;
    options.count_frames = true;
    ZT_TRY_ASSIGN(info, media::probe(path, options));
    ZT_TRY(media::require_whole(path, info));
  }
  return Look{info.width, info.height, info.num_frames, info.fps};
}

Status need_equal_length(const ClipRecord& clip, std::string_view kind, const std::filesystem::path& path,
                         int64_t num_frames) {
  if (num_frames == clip.num_frames) return {};
  return fail(ErrorCode::Corrupt, fmt::format("the video has {} frames, its {} {} has {}", clip.num_frames,
                                              kind, path.string(), num_frames));
}

Result<Look> look_at_companion(const ClipRecord& clip, std::string_view kind,
                               const std::filesystem::path& path) {
  ZT_TRY_ASSIGN(const Look look, look_at(path));
  ZT_TRY(need_equal_length(clip, kind, path, look.num_frames));
  return look;
}

Status add_poses(ClipRecord& clip, const Candidate& candidate) {
  if (!candidate.pose.empty()) {
    ZT_TRY_ASSIGN(const Look pose, look_at_companion(clip, "pose video", candidate.pose));
    clip.pose_video = candidate.pose.string();
    clip.pose_width = pose.width;
    clip.pose_height = pose.height;
  }
  if (!candidate.keypoints.empty()) {
    ZT_TRY_ASSIGN(const int64_t num_frames, count_keypoint_frames(candidate.keypoints));
    ZT_TRY(need_equal_length(clip, "key-points", candidate.keypoints, num_frames));
    clip.keypoints = candidate.keypoints.string();
  }
  if (clip.pose_video.empty() && clip.keypoints.empty())
    return fail(ErrorCode::NotFound, "the entry names neither a pose video (kps_path) nor key-points");
  return {};
}

Result<ClipRecord> probe_clip(const Candidate& candidate, size_t number) {
  ZT_TRY_ASSIGN(const Look video, look_at(candidate.video));
  ClipRecord clip;
  clip.id = fmt::format("clip-{:06}", number);
  ZT_TRY_ASSIGN(clip.content, sampled_digest(candidate.video));
  clip.video = candidate.video.string();
  clip.mask = candidate.mask.string();
  clip.labels = candidate.labels.string();
  clip.background = candidate.background.string();
  clip.split = candidate.split.empty() ? "train" : candidate.split;
  clip.character = candidate.character;
  clip.motion = candidate.motion;
  clip.num_frames = video.num_frames;
  clip.width = video.width;
  clip.height = video.height;
  clip.fps_num = video.fps.num;
  clip.fps_den = std::max<int64_t>(1, video.fps.den);
  ZT_TRY(add_poses(clip, candidate));
  if (!candidate.mask.empty()) ZT_TRY(look_at_companion(clip, "mask", candidate.mask));
  if (!candidate.labels.empty()) ZT_TRY(look_at_companion(clip, "labels", candidate.labels));
  std::error_code ignored;
  if (!candidate.background.empty() && !std::filesystem::exists(candidate.background, ignored))
    return fail(ErrorCode::NotFound, "there is no background " + candidate.background.string());
  return clip;
}

}  // namespace

Result<ClipIndex> index_meta_lists(std::span<const std::filesystem::path> lists, size_t num_threads) {
  std::vector<Candidate> candidates;
  for (const auto& list : lists) {
    Result<ingest_internal::Discovery> read = ingest_internal::read_list(list);
    // A worker that is started again would find it as it is.
    if (!read && read.error().code == ErrorCode::Corrupt) read.error().code = ErrorCode::InvalidConfig;
    ZT_TRY_ASSIGN(ingest_internal::Discovery found, std::move(read));
    for (const Finding& reject : found.rejects)
      log::warn("data", fmt::format("entry={} is left out: {}", reject.what, reject.detail));
    std::move(found.candidates.begin(), found.candidates.end(), std::back_inserter(candidates));
  }
  std::vector<std::optional<Result<ClipRecord>>> records(candidates.size());
  parallel_for(candidates.size(), num_threads, [&](size_t i) { records[i] = probe_clip(candidates[i], i); });

  std::vector<ClipRecord> clips;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (Result<ClipRecord>& record = *records[i]) {
      clips.push_back(*std::move(record));
    } else if (record.error().code == ErrorCode::Exhausted) {
      return fail(std::move(record).error().with("while looking at the clips of the meta lists"));
    } else {
      log::warn("data",
                fmt::format("video={} is left out: {}", candidates[i].video.string(), record.error().text()));
    }
  }
  if (clips.empty())
    return fail(ErrorCode::InvalidArgument,
                fmt::format("none of the {} entries of the meta lists is usable", candidates.size()));
  std::error_code error;
  const auto root = std::filesystem::current_path(error);
  if (error) return fail(files::errno_error("find", "the working folder", error.value()));
  return parse_index(format_index(clips), root);  // so that it is held to what a file of them would be
}

}  // namespace zt::data
