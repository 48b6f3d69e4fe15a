// SPDX-License-Identifier: Apache-2.0
#include "data/meta_list.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/log.hpp"
#include "base/parallel.hpp"
#include "media/video_info.hpp"

namespace zt::data {
namespace {

using nlohmann::json;

std::optional<std::string> text_of(const json& entry, const char* key) {
  const auto it = entry.find(key);
  if (it == entry.end() || !it->is_string() || it->get_ref<const std::string&>().empty()) return std::nullopt;
  return it->get<std::string>();
}

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

Result<ClipRecord> probe_pair(const std::filesystem::path& root, const MetaPair& pair) {
  ZT_TRY_ASSIGN(const media::VideoInfo video, probe_counted(root / pair.video));
  ZT_TRY_ASSIGN(const media::VideoInfo pose, probe_counted(root / pair.pose));
  if (video.num_frames != pose.num_frames)
    return fail(ErrorCode::Corrupt, fmt::format("the video has {} frames, its pose video {} has {}",
                                                video.num_frames, pair.pose, pose.num_frames));
  ClipRecord clip;
  ZT_TRY_ASSIGN(clip.content, quick_digest(root / pair.video));
  clip.video = pair.video;
  clip.pose_video = pair.pose;
  clip.split = "train";
  clip.num_frames = video.num_frames;
  clip.width = video.width;
  clip.height = video.height;
  clip.pose_width = pose.width;
  clip.pose_height = pose.height;
  clip.fps_num = video.fps.num;
  clip.fps_den = video.fps.den;
  return clip;
}

}  // namespace

Result<std::vector<MetaPair>> parse_meta_list(std::string_view text) {
  const json list = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array())
    return fail(ErrorCode::Corrupt, "not a JSON list of {\"video_path\": ..., \"kps_path\": ...}");
  std::vector<MetaPair> pairs;
  for (const json& entry : list) {
    const auto video = entry.is_object() ? text_of(entry, "video_path") : std::nullopt;
    const auto pose = entry.is_object() ? text_of(entry, "kps_path") : std::nullopt;
    if (!video || !pose)
      return fail(ErrorCode::Corrupt, fmt::format("entry {} lacks video_path or kps_path", pairs.size()));
    pairs.push_back({*video, *pose});
  }
  return pairs;
}

Result<std::vector<MetaPair>> read_meta_list(const std::filesystem::path& path) {
  ZT_TRY_ASSIGN(const std::string text, files::read(path));
  auto pairs = parse_meta_list(text);
  if (!pairs) return fail(std::move(pairs.error()).with("while reading the list " + path.string()));
  return pairs;
}

Result<ClipIndex> index_meta_lists(std::span<const std::filesystem::path> lists, size_t num_threads) {
  std::vector<MetaPair> pairs;
  for (const auto& list : lists) {
    ZT_TRY_ASSIGN(const std::vector<MetaPair> more, read_meta_list(list));
    pairs.insert(pairs.end(), more.begin(), more.end());
  }
  ClipIndex index;
  std::error_code error;
  index.root = std::filesystem::current_path(error);
  if (error) return fail(files::errno_error("find", "the working folder", error.value()));
  std::vector<std::optional<Result<ClipRecord>>> records(pairs.size());
  parallel_for(pairs.size(), num_threads, [&](size_t i) { records[i] = probe_pair(index.root, pairs[i]); });
  for (size_t i = 0; i < pairs.size(); ++i) {
    Result<ClipRecord>& record = *records[i];
    if (record) {
      record->id = fmt::format("clip-{:06}", i);
      index.clips.push_back(*std::move(record));
    } else {
      log::warn("data", fmt::format("video={} is left out: {}", pairs[i].video, record.error().text()));
    }
  }
  if (index.clips.empty())
    return fail(ErrorCode::InvalidArgument,
                fmt::format("none of the {} pairs of the meta lists is usable", pairs.size()));
  const std::string text = format_index(index.clips);
  ZT_TRY_ASSIGN(const ClipIndex written, parse_index(text, index.root));
  return written;
}

}  // namespace zt::data
