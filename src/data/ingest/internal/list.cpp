// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/files/files.hpp"
#include "base/text/text.hpp"
#include "data/ingest/internal/candidate.hpp"

namespace zt::data::ingest_internal {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t kMaxListBytes = uint64_t{256} << 20;
constexpr size_t kMaxField = 4096;

using Fields = std::map<std::string, std::string>;
struct Row {
  std::string where;
  Fields fields;
};
struct Rows {
  std::vector<Row> rows;
  std::vector<Finding> rejects;
};

// CSV (RFC 4180): quotes around fields with commas or line ends, a quote inside is doubled. A quote within a
// field that has none around it is a character as any other.

struct CsvLine {
  size_t number = 0;  // of its first line
  std::vector<std::string> cells = {""};
  bool is_sound = true;  // else a quote is not closed, or something follows one that is
};

struct CsvSpan {
  CsvLine line;
  size_t end = 0;  // where the next one starts
};

bool is_blank(std::string_view text) { return text::trim(text).empty(); }

CsvSpan read_csv_line(std::string_view text, size_t begin, size_t number) {
  enum class Field { Plain, Quoted, Closed };
  CsvSpan out{{.number = number}, begin};
  Field state = Field::Plain;
  for (; out.end < text.size(); ++out.end) {
    const char c = text[out.end];
    std::string& cell = out.line.cells.back();
    if (state == Field::Quoted) {
      const bool is_doubled = c == '"' && text.substr(out.end + 1).starts_with('"');
      if (is_doubled) ++out.end;
      if (c == '"' && !is_doubled) {
        state = Field::Closed;
      } else {
        cell += c;
      }
    } else if (c == ',' || c == '\n') {
      state = Field::Plain;
      if (c == '\n') break;
      out.line.cells.emplace_back();
    } else if (state == Field::Closed) {
      if (!is_blank(text.substr(out.end, 1))) break;
    } else if (c == '"' && is_blank(cell)) {
      cell.clear();
      state = Field::Quoted;
    } else if (c != '\r') {
      cell += c;
    }
  }
  // A stray quote costs the line that it is in, and none of those after it.
  out.line.is_sound = state == Field::Plain || (state == Field::Closed && out.end == text.size());
  if (!out.line.is_sound) out.end = std::min(text.find('\n', begin), text.size());
  out.end = std::min(out.end + 1, text.size());
  return out;
}

std::vector<CsvLine> split_csv(std::string_view text) {
  std::vector<CsvLine> lines;
  size_t number = 1;
  for (size_t begin = 0; begin < text.size();) {
    CsvSpan span = read_csv_line(text, begin, number);
    number += static_cast<size_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                             text.begin() + static_cast<std::ptrdiff_t>(span.end), '\n'));
    begin = span.end;
    const bool is_empty = span.line.is_sound && span.line.cells.size() == 1 && is_blank(span.line.cells[0]);
    if (!is_empty) lines.push_back(std::move(span.line));
  }
  return lines;
}

Result<Rows> parse_csv(std::string_view text, const std::string& name) {
  std::vector<CsvLine> lines = split_csv(text);
  if (lines.empty() || !lines[0].is_sound) return fail(ErrorCode::Corrupt, name + " has no header line");
  for (std::string& title : lines[0].cells) title = std::string(text::trim(title));
  const std::vector<std::string>& titles = lines[0].cells;
  Rows out;
  for (size_t i = 1; i < lines.size(); ++i) {
    Row row{fmt::format("{}:{}", name, lines[i].number), {}};
    if (!lines[i].is_sound) {
      out.rejects.push_back({row.where, "bad-entry", "a quote that is not closed, or not before a comma"});
      continue;
    }
    if (lines[i].cells.size() != titles.size()) {
      out.rejects.push_back(
          {row.where, "bad-entry",
           fmt::format("{} fields, and the header has {}", lines[i].cells.size(), titles.size())});
      continue;
    }
    for (size_t c = 0; c < titles.size(); ++c)
      row.fields[titles[c]] = std::string(text::trim(lines[i].cells[c]));
    out.rows.push_back(std::move(row));
  }
  return out;
}

// JSON: an array of objects, or one object per line.

std::optional<Fields> fields_of(const json& object) {
  if (!object.is_object()) return std::nullopt;
  Fields fields;
  for (const auto& [key, value] : object.items()) {
    if (value.is_string()) fields[key] = value.get<std::string>();
    if (value.is_number_integer()) fields[key] = value.dump();
  }
  return fields;
}

void add_json_row(Rows& out, std::string where, const json& entry) {
  if (auto fields = fields_of(entry)) {
    out.rows.push_back({std::move(where), *std::move(fields)});
  } else {
    out.rejects.push_back({std::move(where), "bad-entry", "this is not a JSON object"});
  }
}

Result<Rows> parse_json(std::string_view text, const std::string& name) {
  const json list = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array()) return fail(ErrorCode::Corrupt, name + " is not a JSON list of clips");
  Rows out;
  for (size_t i = 0; i < list.size(); ++i) add_json_row(out, fmt::format("{}[{}]", name, i), list[i]);
  return out;
}

Rows parse_json_lines(std::string_view text, const std::string& name) {
  Rows out;
  const std::vector<std::string> lines = text::split(text, '\n');
  for (size_t i = 0; i < lines.size(); ++i) {
    if (text::trim(lines[i]).empty()) continue;
    add_json_row(out, fmt::format("{}:{}", name, i + 1), json::parse(lines[i], nullptr, false));
  }
  return out;
}

// From fields to candidates.

// The value of the first of several keys that is there; Moore's names are aliases of ours.
std::string field(const Fields& fields, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto it = fields.find(key);
    if (it != fields.end()) return it->second;
  }
  return "";
}

int64_t number(const Fields& fields, const char* key) {
  const int64_t value = text::to_number<int64_t>(field(fields, {key})).value_or(-1);
  return std::max<int64_t>(value, -1);
}

// The path as a list means it, if something is there.
std::optional<fs::path> as_written(const fs::path& path, const fs::path& folder) {
  std::error_code error;
  if (path.is_relative() && fs::exists(folder / path, error)) return folder / path;
  if (fs::exists(path, error)) return path;
  return std::nullopt;
}

// Below the list's folder, without so many of its leading parts; "" if nothing is left of it.
fs::path without_leading(const fs::path& path, size_t num_parts, const fs::path& folder) {
  const fs::path relative = path.relative_path();
  fs::path rest;
  for (const fs::path& part : relative) {
    if (num_parts == 0) rest /= part;
    if (num_parts > 0) --num_parts;
  }
  return rest.empty() ? fs::path() : folder / rest;
}

struct Place {
  fs::path path;
  // For a video of a data set that was moved: "old/place/clips/0.mp4" is looked for as "place/clips/0.mp4",
  // "clips/0.mp4", "0.mp4".
  std::optional<size_t> leading_parts = std::nullopt;
};

Place find_video(const fs::path& written, const fs::path& folder) {
  if (auto found = as_written(written, folder)) return {*std::move(found)};
  std::error_code error;
  for (size_t n = 0;; ++n) {
    const fs::path moved = without_leading(written, n, folder);
    if (moved.empty()) break;
    if (fs::exists(moved, error)) return {moved, n};
  }
  return {written.is_absolute() ? written : folder / written};
}

// A set is moved as a whole: what belongs to a video lost the same leading parts as the video, not any other
// number, by which a lost "poses/0.mp4" would be found as the video "0.mp4" itself.
fs::path find_companion(const std::string& written, const Place& video, const fs::path& folder) {
  if (written.empty()) return {};
  const fs::path path(written);
  if (auto found = as_written(path, folder)) return *std::move(found);
  std::error_code error;
  if (video.leading_parts) {
    const fs::path moved = without_leading(path, *video.leading_parts, folder);
    if (!moved.empty() && fs::exists(moved, error)) return moved;
  }
  return path.is_absolute() ? path : folder / path;
}

bool is_same_file(const fs::path& a, const fs::path& b) {
  std::error_code error;
  return a == b || fs::equivalent(a, b, error);
}

// A pose, mask or the like that is the video itself; "" if none is.
std::string_view own_companion(const Candidate& candidate) {
  const std::pair<std::string_view, const fs::path*> companions[] = {{"pose", &candidate.pose},
                                                                     {"keypoints", &candidate.keypoints},
                                                                     {"mask", &candidate.mask},
                                                                     {"labels", &candidate.labels},
                                                                     {"background", &candidate.background}};
  for (const auto& [name, path] : companions)
    if (!path->empty() && is_same_file(*path, candidate.video)) return name;
  return "";
}

std::string name_of(const fs::path& video, const fs::path& folder) {
  const fs::path below = video.lexically_proximate(folder);
  const bool is_outside = below.empty() || *below.begin() == ".." || below.is_absolute();
  fs::path name = is_outside ? video.filename() : below;
  return name.replace_extension().generic_string();
}

struct MovedEntry {
  size_t candidate = 0;
  std::string written;
};
using MovedVideos = std::map<fs::path, std::vector<MovedEntry>>;

// "a/0.mp4" and "b/0.mp4" can't both be "0.mp4": then neither is, and both are missing.
void part_twins(const MovedVideos& moved, const fs::path& folder, std::vector<Candidate>& candidates) {
  for (const auto& [video, entries] : moved) {
    const bool are_same = std::all_of(entries.begin(), entries.end(), [&](const MovedEntry& entry) {
      return entry.written == entries.front().written;
    });
    if (are_same) continue;
    for (const MovedEntry& entry : entries) {
      const fs::path written(entry.written);
      candidates[entry.candidate].video = written.is_absolute() ? written : folder / written;
    }
  }
}

bool is_sound(const Fields& fields) {
  return std::all_of(fields.begin(), fields.end(), [](const auto& entry) {
    return entry.second.size() <= kMaxField && entry.second.find('\0') == std::string::npos;
  });
}

}  // namespace

Result<Discovery> read_list(const fs::path& path) {
  ZT_TRY_ASSIGN(std::string text, files::read(path, kMaxListBytes));
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // as spreadsheets begin a CSV file
  if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
  const std::string ending = path.extension().string(), list_name = path.filename().string();
  Rows rows;
  if (ending == ".csv") {
    ZT_TRY_ASSIGN(rows, parse_csv(text, list_name));
  } else if (ending == ".jsonl") {
    rows = parse_json_lines(text, list_name);
  } else {
    ZT_TRY_ASSIGN(rows, parse_json(text, list_name));
  }
  Discovery found;
  found.rejects = std::move(rows.rejects);
  const fs::path folder = path.parent_path();
  MovedVideos moved;
  for (const Row& row : rows.rows) {
    const std::string video = field(row.fields, {"video", "video_path"});
    if (video.empty() || !is_sound(row.fields)) {
      found.rejects.push_back({row.where, "bad-entry", "the entry names no video"});
      continue;
    }
    const Place place = find_video(video, folder);
    const auto file = [&](std::initializer_list<const char*> keys) {
      return find_companion(field(row.fields, keys), place, folder);
    };
    Candidate candidate;
    candidate.where = row.where;
    candidate.video = place.path;
    candidate.name = name_of(candidate.video, folder);
    candidate.pose = file({"pose", "kps_path", "pose_path"});
    candidate.keypoints = file({"keypoints", "keypoints_path"});
    candidate.mask = file({"mask", "mask_path"});
    candidate.labels = file({"labels", "labels_path"});
    candidate.background = file({"background", "background_path"});
    if (const std::string_view own = own_companion(candidate); !own.empty()) {
      found.rejects.push_back({row.where, "bad-entry", fmt::format("its {} is the video itself", own)});
      continue;
    }
    candidate.split = field(row.fields, {"split"});
    candidate.character = number(row.fields, "character");
    candidate.motion = number(row.fields, "motion");
    if (place.leading_parts) moved[candidate.video].push_back({found.candidates.size(), video});
    found.candidates.push_back(std::move(candidate));
  }
  part_twins(moved, folder, found.candidates);
  return found;
}

}  // namespace zt::data::ingest_internal
