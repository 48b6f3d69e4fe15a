// SPDX-License-Identifier: Apache-2.0
#include "data/keypoints/keypoints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>

#include "base/files/files.hpp"
#include "data/internal/json_lines.hpp"

namespace zt::data {
namespace {

using internal::line_error;
using internal::Lines;
using internal::whole_number;
using nlohmann::json;

constexpr std::string_view kFormat = "zoetrope-keypoints";
constexpr int kVersion = 1;
constexpr double kMaxCoordinate = 1000;  ///< pictures away from the picture: no tracker means that
constexpr int64_t kMaxSide = 1 << 16;
constexpr int64_t kMaxRate = 1'000'000'000;
constexpr size_t kMinLineBytes = 11;  ///< {"frame":0}

// Five decimals, without trailing zeros.
void append_number(std::string& out, float value) {
  const size_t start = out.size();
  out += fmt::format("{:.5f}", value);
  while (out.back() == '0') out.pop_back();
  if (out.back() == '.') out.pop_back();
  if (std::string_view(out).substr(start) == "-0") out.erase(start, 1);
}

void append_points(std::string& out, std::string_view key, std::span<const Keypoint> points) {
  out += fmt::format("\"{}\":[", key);
  for (const Keypoint& p : points) {
    if (out.back() != '[') out += ',';
    append_number(out, p.x);
    out += ',';
    append_number(out, p.y);
    out += ',';
    append_number(out, p.confidence);
  }
  out += ']';
}

void append_person(std::string& out, const Person& person) {
  out += '{';
  append_points(out, "body", person.body);
  const auto append_part = [&](std::string_view key, const std::vector<Keypoint>& points) {
    if (points.empty()) return;
    out += ',';
    append_points(out, key, points);
  };
  append_part("left_hand", person.left_hand);
  append_part("right_hand", person.right_hand);
  append_part("face", person.face);
  out += '}';
}

// Fills `points`; false if the array is not one of x, y, confidence for each of them.
bool read_points(const json& array, std::span<Keypoint> points) {
  if (!array.is_array() || array.size() != 3 * points.size()) return false;
  for (size_t i = 0; i < points.size(); ++i) {
    const json &x = array[3 * i], &y = array[3 * i + 1], &c = array[3 * i + 2];
    if (!x.is_number() || !y.is_number() || !c.is_number()) return false;
    const auto confidence = c.get<double>();
    if (!(confidence >= 0 && confidence <= 1)) return false;
    if (confidence == 0) continue;
    if (!(std::abs(x.get<double>()) <= kMaxCoordinate && std::abs(y.get<double>()) <= kMaxCoordinate))
      return false;
    points[i] = {x.get<float>(), y.get<float>(), c.get<float>()};
  }
  return true;
}

// A part that may be left out.
bool read_part(const json& person, const char* key, size_t count, std::vector<Keypoint>& points) {
  const auto it = person.find(key);
  if (it == person.end()) return true;
  if (!it->is_array() || it->size() != 3 * count) return false;
  points.resize(count);
  return read_points(*it, points);
}

std::optional<Person> read_person(const json& object) {
  Person person;
  if (!object.is_object() || !object.contains("body") || !read_points(object["body"], person.body))
    return std::nullopt;
  if (!read_part(object, "left_hand", kNumHand, person.left_hand)) return std::nullopt;
  if (!read_part(object, "right_hand", kNumHand, person.right_hand)) return std::nullopt;
  if (!read_part(object, "face", kNumFace, person.face)) return std::nullopt;
  return person;
}

Result<Keypoints> parse_frame(std::string_view line, size_t number, int64_t frame) {
  ZT_TRY_ASSIGN(const json object, internal::parse_object(line, number));
  if (whole_number(object, "frame", frame, frame) != frame)
    return line_error(number, fmt::format("not frame {}, which belongs here", frame));
  const auto people = object.find("people");
  if (people == object.end() || !people->is_array()) return line_error(number, "no list of people");
  if (people->size() > kMaxPeople) return line_error(number, fmt::format("more than {} people", kMaxPeople));
  Keypoints keypoints;
  for (const json& item : *people) {
    auto person = read_person(item);
    if (!person)
      return line_error(number, fmt::format("person {} has not the right numbers", keypoints.people.size()));
    keypoints.people.push_back(*std::move(person));
  }
  return keypoints;
}

struct Header {
  KeypointClip clip;
  int64_t num_frames = 0;
};

Result<Header> parse_clip_header(Lines& lines) {
  ZT_TRY_ASSIGN(const json object, internal::parse_header(lines, kFormat, kVersion));
  const auto width = whole_number(object, "width", 1, kMaxSide),
             height = whole_number(object, "height", 1, kMaxSide);
  const auto fps_num = whole_number(object, "fps_num", 0, kMaxRate),
             fps_den = whole_number(object, "fps_den", 1, kMaxRate);
  const auto frames = whole_number(object, "frames", 0, int64_t{kMaxKeypointFrames});
  if (!width || !height || !fps_num || !fps_den || !frames)
    return line_error(1, "width, height, fps_num, fps_den or frames is missing or impossible");
  Header header;
  header.clip.width = static_cast<int>(*width);
  header.clip.height = static_cast<int>(*height);
  header.clip.fps_num = *fps_num;
  header.clip.fps_den = *fps_den;
  if (const auto it = object.find("source"); it != object.end() && it->is_string()) header.clip.source = *it;
  if (const auto it = object.find("made_from"); it != object.end() && it->is_string())
    header.clip.made_from = *it;
  header.num_frames = *frames;
  return header;
}

// Adds one part's present points to the box.
void include(std::array<double, 4>& box, std::span<const Keypoint> points) {
  for (const Keypoint& p : points) {
    if (!p.present()) continue;
    box = {std::min<double>(box[0], p.x), std::min<double>(box[1], p.y), std::max<double>(box[2], p.x),
           std::max<double>(box[3], p.y)};
  }
}

}  // namespace

std::string format_keypoints(const KeypointClip& clip) {
  nlohmann::ordered_json header;
  header["format"] = kFormat;
  header["version"] = kVersion;
  header["width"] = clip.width;
  header["height"] = clip.height;
  header["fps_num"] = clip.fps_num;
  header["fps_den"] = clip.fps_den;
  header["frames"] = clip.frames.size();
  if (!clip.source.empty()) header["source"] = clip.source;
  if (!clip.made_from.empty()) header["made_from"] = clip.made_from;
  std::string out = header.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  for (size_t f = 0; f < clip.frames.size(); ++f) {
    out += fmt::format("{{\"frame\":{},\"people\":[", f);
    for (const Person& person : clip.frames[f].people) {
      if (out.back() != '[') out += ',';
      append_person(out, person);
    }
    out += "]}\n";
  }
  return out;
}

Result<KeypointClip> parse_keypoints(std::string_view text) {
  Lines lines(text);
  ZT_TRY_ASSIGN(Header header, parse_clip_header(lines));
  KeypointClip clip = std::move(header.clip);
  clip.frames.reserve(std::min(static_cast<size_t>(header.num_frames), text.size() / kMinLineBytes));
  while (const auto line = lines.next()) {
    const auto frame = static_cast<int64_t>(clip.frames.size());
    if (frame == header.num_frames)
      return line_error(lines.number(), fmt::format("more frames than the {} of the header", frame));
    ZT_TRY_ASSIGN(Keypoints keypoints, parse_frame(*line, lines.number(), frame));
    clip.frames.push_back(std::move(keypoints));
  }
  if (clip.frames.size() != static_cast<size_t>(header.num_frames))
    return line_error(lines.number(), fmt::format("the file ends after {} of {} frames", clip.frames.size(),
                                                  header.num_frames));
  return clip;
}

Result<std::vector<Keypoints>> parse_keypoint_frames(std::string_view text, std::span<const int64_t> frames) {
  Lines lines(text);
  ZT_TRY_ASSIGN(const Header header, parse_clip_header(lines));
  std::vector<size_t> order(frames.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return frames[a] < frames[b]; });
  std::vector<Keypoints> result(frames.size());
  for (size_t k = 0; k < order.size(); ++k) {
    const int64_t frame = frames[order[k]];
    if (frame < 0 || frame >= header.num_frames)
      return fail(ErrorCode::InvalidArgument, fmt::format("no frame {} among {}", frame, header.num_frames));
    if (k > 0 && frames[order[k - 1]] == frame) {
      result[order[k]] = result[order[k - 1]];
      continue;
    }
    std::optional<std::string_view> line;
    const auto wanted = static_cast<size_t>(frame) + 2;  // the header is line 1
    while (lines.number() < wanted) {
      line = lines.next();
      if (!line) return line_error(lines.number(), fmt::format("the file ends before frame {}", frame));
    }
    ZT_TRY_ASSIGN(result[order[k]], parse_frame(*line, lines.number(), frame));
  }
  return result;
}

Result<KeypointClip> read_keypoints(const std::filesystem::path& path) {
  ZT_TRY_ASSIGN(const std::string text, files::read(path));
  auto clip = parse_keypoints(text);
  if (!clip) return fail(std::move(clip.error()).with("while reading key-points " + path.string()));
  return clip;
}

Result<std::vector<Keypoints>> read_keypoint_frames(const std::filesystem::path& path,
                                                    std::span<const int64_t> frames) {
  ZT_TRY_ASSIGN(const std::string text, files::read(path));
  auto result = parse_keypoint_frames(text, frames);
  if (!result) return fail(std::move(result.error()).with("while reading key-points " + path.string()));
  return result;
}

Result<int64_t> count_keypoint_frames(const std::filesystem::path& path) {
  ZT_TRY_ASSIGN(const std::string text, files::read(path));
  const auto count = [&]() -> Result<int64_t> {
    Lines lines(text);
    ZT_TRY_ASSIGN(const Header header, parse_clip_header(lines));
    const int64_t last = header.num_frames - 1;
    if (last >= 0) ZT_TRY(parse_keypoint_frames(text, {&last, 1}));
    return header.num_frames;
  }();
  if (!count) return fail(Error(count.error()).with("while reading key-points " + path.string()));
  return count;
}

Result<std::string> read_made_from(const std::filesystem::path& path) {
  ZT_TRY_ASSIGN(const std::string text, files::read(path));
  Lines lines(text);
  Result<Header> header = parse_clip_header(lines);
  if (!header) return fail(std::move(header.error()).with("while reading key-points " + path.string()));
  return std::move(header->clip.made_from);
}

Status write_keypoints(const std::filesystem::path& path, const KeypointClip& clip) {
  return files::write_atomic(path, format_keypoints(clip));
}

std::array<double, 4> bounding_box(const Person& person) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  std::array<double, 4> box{kInf, kInf, -kInf, -kInf};
  include(box, person.body);
  include(box, person.left_hand);
  include(box, person.right_hand);
  include(box, person.face);
  return box[0] <= box[2] ? box : std::array<double, 4>{};
}

bool is_seen(const Person& person) {
  return std::any_of(person.body.begin(), person.body.end(),
                     [](const Keypoint& point) { return point.present(); });
}

Keypoints crop_keypoints(const Keypoints& keypoints, const NormBox& box) {
  const auto move = [&](std::span<Keypoint> points) {
    for (Keypoint& p : points) {
      if (!p.present()) continue;
      p.x = static_cast<float>((p.x - box.left) / (box.right - box.left));
      p.y = static_cast<float>((p.y - box.top) / (box.bottom - box.top));
    }
  };
  Keypoints result = keypoints;
  for (Person& person : result.people) {
    move(person.body);
    move(person.left_hand);
    move(person.right_hand);
    move(person.face);
  }
  return result;
}

}  // namespace zt::data
