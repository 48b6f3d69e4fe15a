// SPDX-License-Identifier: Apache-2.0
#include "data/ingest/meta_list.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/parallel.hpp"
#include "data/ingest/internal/candidate.hpp"
#include "media/video_info.hpp"

namespace zt::data {
namespace {

using ingest_internal::Candidate;

// The frames as the container says, or by counting where it does not.
Result<media::VideoInfo> probe_counted(const std::filesystem::path& path) {
  ZT_TRY_ASSIGN(media::VideoInfo info, media::probe(path));
  if (info.num_frames > 0) return info;
  media::ProbeOptions options;
  options.count_frames = true;
  return media::probe(path, options);
}

Result<std::string> quick_digest(const std::filesystem::path& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return fail(files::errno_error("look at", path, errno));
  const std::string text = fmt::format("{}\n{}\n{}.{:09}", path.string(), facts.st_size, facts.st_mtim.tv_sec,
                                       facts.st_mtim.tv_nsec);
  return hash::xxh128_hex(std::as_bytes(std::span(text)));
}

Status add_pose_video(ClipRecord& clip, const std::filesystem::path& path) {
  ZT_TRY_ASSIGN(const media::VideoInfo pose, probe_counted(path));
  if (pose.num_frames != clip.num_frames)
    return fail(ErrorCode::Corrupt, fmt::format("the video has {} frames, its pose video {} has {}",
                                                clip.num_frames, path.string(), pose.num_frames));
  clip.pose_video = path.string();
  clip.pose_width = pose.width;
  clip.pose_height = pose.height;
  return {};
}

Result<ClipRecord> probe_clip(const Candidate& candidate, size_t number) {
  ZT_TRY_ASSIGN(const media::VideoInfo video, probe_counted(candidate.video));
  ClipRecord clip;
  clip.id = fmt::format("clip-{:06}", number);
  ZT_TRY_ASSIGN(clip.content, quick_digest(candidate.video));
  clip.video = candidate.video.string();
  clip.keypoints = candidate.keypoints.string();
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
  clip.fps_den = video.fps.den;
  if (!candidate.pose.empty()) ZT_TRY(add_pose_video(clip, candidate.pose));
  if (clip.pose_video.empty() && clip.keypoints.empty())
    return fail(ErrorCode::NotFound, "the entry names neither a pose video (kps_path) nor key-points");
  return clip;
}

}  // namespace

Result<ClipIndex> index_meta_lists(std::span<const std::filesystem::path> lists, size_t num_threads) {
  std::vector<Candidate> candidates;
  for (const auto& list : lists) {
    ZT_TRY_ASSIGN(ingest_internal::Discovery found, ingest_internal::read_list(list));
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
  return parse_index(format_index(clips), root);  // with the digest that such an index has
}

}  // namespace zt::data
