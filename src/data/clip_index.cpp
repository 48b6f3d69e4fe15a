// SPDX-License-Identifier: Apache-2.0
#include "data/clip_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string_view>
#include <unordered_set>

#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "base/text/text.hpp"
#include "data/internal/json_lines.hpp"

namespace zt::data {
namespace {

using internal::line_error;
using internal::Lines;
using nlohmann::json;

constexpr std::string_view kFormat = "zoetrope-index";
constexpr int64_t kMaxClips = 100'000'000;
constexpr int64_t kMaxFrames = 1'000'000'000;
constexpr int64_t kMaxSide = 1 << 16;
constexpr int64_t kMaxRate = 1'000'000'000;
constexpr int64_t kMaxNumber = std::numeric_limits<int64_t>::max();
constexpr size_t kMaxText = 4096;

// The fields in the file's order, with what a reader accepts. Writing and reading both walk it.
template <class V, class Record>
void fields(V& v, Record& r) {
  v("id", r.id), v("video", r.video), v("pose_video", r.pose_video), v("keypoints", r.keypoints);
  v("mask", r.mask), v("labels", r.labels), v("background", r.background);
  v("split", r.split), v("content", r.content);
  v("first_frame", r.first_frame, 0, kMaxFrames), v("num_frames", r.num_frames, 1, kMaxFrames);
  v("width", r.width, 1, kMaxSide), v("height", r.height, 1, kMaxSide);
  v("pose_width", r.pose_width, 0, kMaxSide), v("pose_height", r.pose_height, 0, kMaxSide);
  v("fps_num", r.fps_num, 0, kMaxRate), v("fps_den", r.fps_den, 1, kMaxRate);
  v("character", r.character, -1, kMaxNumber), v("motion", r.motion, -1, kMaxNumber);
  v("num_people", r.num_people, 0, kMaxSide), v("person_box", r.person_box);
}

// Leaves out empty texts.
struct FieldWriter {
  nlohmann::ordered_json& out;
  void operator()(const char* key, const std::string& value) {
    if (!value.empty()) out[key] = value;
  }
  template <class T, class... Limits>
  void operator()(const char* key, const T& value, Limits...) {
    out[key] = value;
  }
};

struct FieldReader {
  const json& in;
  std::string problem = {};

  void operator()(const char* key, std::string& value) {
    const auto it = in.find(key);
    if (it == in.end()) return;
    if (!it->is_string() || it->get_ref<const std::string&>().size() > kMaxText ||
        it->get_ref<const std::string&>().find('\0') != std::string::npos) {
      problem = fmt::format("{} is not a text of at most {} bytes", key, kMaxText);
      return;
    }
    value = *it;
  }
  template <class Int>
  void operator()(const char* key, Int& value, int64_t low, int64_t high) {
    if (in.contains(key)) {
      const auto found = internal::whole_number(in, key, low, high);
      if (found) {
        value = static_cast<Int>(*found);
        return;
      }
    } else if (value >= low && value <= high) {
      return;  // may be left out
    }
    problem = fmt::format("{} is not a whole number from {} to {}", key, low, high);
  }
  void operator()(const char* key, std::array<double, 4>& box) {
    const auto it = in.find(key);
    if (it == in.end()) return;
    const bool is_box = it->is_array() && it->size() == box.size() &&
                        std::all_of(it->begin(), it->end(), [](const json& x) { return x.is_number(); });
    if (is_box) box = it->get<std::array<double, 4>>();
    if (!is_box || !(box[0] < box[2] && box[1] < box[3]))
      problem = fmt::format("{} is not left, top, right, bottom", key);
  }
};

bool is_file_name_safe(std::string_view id) {
  constexpr size_t kMaxId = 200;
  const auto is_safe = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  return !id.empty() && id.size() <= kMaxId && id[0] != '.' && std::all_of(id.begin(), id.end(), is_safe);
}

Result<ClipRecord> parse_record(std::string_view line, size_t number) {
  ZT_TRY_ASSIGN(const json object, internal::parse_object(line, number));
  ClipRecord record;
  FieldReader reader{object};
  fields(reader, record);
  if (!reader.problem.empty()) return line_error(number, reader.problem);
  if (!is_file_name_safe(record.id)) return line_error(number, "id is missing or not safe as a file name");
  if (record.video.empty()) return line_error(number, "no video");
  return record;
}

std::string checksum_of(std::string_view records) {
  return hash::xxh128_hex(std::as_bytes(std::span(records)));
}

// Adds fields to a sum as lines of their own, texts after their length.
struct FieldSum {
  hash::Xxh128& sum;
  void operator()(const char* key, const std::string& value) {
    sum.update(fmt::format("{} {} {}\n", key, value.size(), value));
  }
  template <class Int>
  void operator()(const char* key, const Int& value, int64_t, int64_t) {
    sum.update(fmt::format("{} {}\n", key, value));
  }
  void operator()(const char* key, const std::array<double, 4>& box) {
    sum.update(fmt::format("{} {} {} {} {}\n", key, box[0], box[1], box[2], box[3]));
  }
};

// What stays when footage is moved or copied: that there is a file, and its content without the times that a
// sampled_digest() may add.
ClipRecord without_places(ClipRecord clip) {
  for (std::string* path :
       {&clip.video, &clip.pose_video, &clip.keypoints, &clip.mask, &clip.labels, &clip.background})
    if (!path->empty()) *path = "here";
  clip.content = clip.content.substr(0, clip.content.find('.'));
  return clip;
}

}  // namespace

std::string format_index(const std::vector<ClipRecord>& clips) {
  std::string records;
  for (const ClipRecord& clip : clips) {
    nlohmann::ordered_json object;
    FieldWriter writer{object};
    fields(writer, clip);
    records += object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  }
  nlohmann::ordered_json header;
  header["format"] = kFormat;
  header["version"] = kIndexVersion;
  header["clips"] = clips.size();
  header["checksum"] = checksum_of(records);
  return header.dump() + "\n" + records;
}

Result<ClipIndex> parse_index(std::string_view text, std::filesystem::path root) {
  Lines lines(text);
  ZT_TRY_ASSIGN(const json header, internal::parse_header(lines, kFormat, kIndexVersion));
  const auto count = internal::whole_number(header, "clips", 0, kMaxClips);
  if (!count) return line_error(1, "no number of clips");
  ClipIndex index;
  index.root = std::move(root);
  if (const auto it = header.find("checksum"); it == header.end() || *it != checksum_of(lines.rest()))
    return line_error(1,
                      "the checksum is not that of the records: the file was cut or changed; ingest again");
  std::unordered_set<std::string> ids;
  while (const auto line = lines.next()) {
    ZT_TRY_ASSIGN(ClipRecord record, parse_record(*line, lines.number()));
    if (!ids.insert(record.id).second)
      return line_error(lines.number(), "second clip with the id " + record.id);
    index.clips.push_back(std::move(record));
  }
  if (index.clips.size() != static_cast<size_t>(*count))
    return line_error(lines.number(), fmt::format("{} clips instead of {}", index.clips.size(), *count));
  return index;
}

std::string ClipIndex::digest() const {
  hash::Xxh128 sum;
  FieldSum add{sum};
  for (const ClipRecord& clip : clips) {
    const ClipRecord record = without_places(clip);
    fields(add, record);
  }
  return sum.hex();
}

Result<ClipIndex> read_index(const std::filesystem::path& path) {
  ZT_TRY_ASSIGN(const std::string text, files::read(path));
  auto index = parse_index(text, path.parent_path());
  if (!index) return fail(std::move(index.error()).with("while reading the index " + path.string()));
  index->has_digests = true;
  return index;
}

Status write_index(const std::filesystem::path& path, const std::vector<ClipRecord>& clips) {
  return files::write_atomic(path, format_index(clips));
}

ClipIndex select_split(const ClipIndex& index, std::string_view split) {
  if (split.empty()) return index;
  ClipIndex selected{index.root, {}, index.has_digests};
  std::copy_if(index.clips.begin(), index.clips.end(), std::back_inserter(selected.clips),
               [&](const ClipRecord& clip) { return clip.split == split; });
  return selected;
}

Status require_poses(const ClipIndex& index) {
  const auto has_pose = [](const ClipRecord& clip) {
    return !clip.keypoints.empty() || !clip.pose_video.empty();
  };
  if (std::ranges::any_of(index.clips, has_pose)) return {};
  return fail(ErrorCode::InvalidConfig,
              fmt::format("none of the {} clips has key-points or a pose video: `zoetrope data pose` finds "
                          "key-points, and `zoetrope data ingest` then makes the index anew",
                          index.clips.size()));
}

Result<ClipIndex> select_splits(ClipIndex index, const std::vector<std::string>& splits,
                                std::string_view setting) {
  std::set<std::string> known;
  for (const ClipRecord& clip : index.clips) known.insert(clip.split);
  if (!splits.empty())
    std::erase_if(index.clips, [&](const ClipRecord& clip) {
      return std::find(splits.begin(), splits.end(), clip.split) == splits.end();
    });
  if (!index.clips.empty()) return index;
  if (known.empty()) return fail(ErrorCode::InvalidConfig, "the index has no clips");
  return fail(ErrorCode::InvalidConfig,
              fmt::format("no clip belongs to {}: {}; the index has {}", setting, text::join(splits, ", "),
                          text::join(std::vector(known.begin(), known.end()), ", ")));
}

}  // namespace zt::data
