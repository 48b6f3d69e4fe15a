// SPDX-License-Identifier: Apache-2.0
#include "media/video_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "media/frame_tables.hpp"
#include "media/internal/frame_table.hpp"
#include "media/internal/input.hpp"

namespace zt::media {

using internal::FrameConverter;
using internal::FrameTable;
using internal::Input;
using internal::InputOptions;

namespace {

InputOptions input_options(const VideoReaderOptions& options) {
  return {options.thread_count, options.max_pixels, options.opens_too_large};
}

Error no_such_frame(const std::filesystem::path& path, int64_t number, int64_t count) {
  return Error{ErrorCode::InvalidArgument,
               fmt::format("frame {} does not exist: {} has {} frames (0 to {})", number, path.string(),
                           count, count - 1),
               {}};
}

}  // namespace

struct VideoReader::State {
  std::filesystem::path path;
  std::string name;  // in options.tables
  VideoReaderOptions options;
  VideoInfo info;
  ReadReport report;
  Input input;
  FrameConverter converter;
  bool is_at_start = true;
  bool has_jumped = false;  // frames() was here: next() starts again
  bool has_table = false;   // table was tried
  FrameTables::Table table;
  std::optional<int64_t> next_number;  // of the picture that next_frame() gives, where that is known
  int first_width = 0, first_height = 0;
  int64_t first_pts = AV_NOPTS_VALUE;
  double last_time_s = 0;

  using Pictures = std::map<int64_t, image::Image>;

  Status restart();
  Status find_table();
  Result<const AVFrame*> next_frame();
  Result<image::Image> picture_of(const AVFrame& frame);
  Status take_from_start(const std::set<int64_t>& wanted, Pictures& pictures);
  Status take_by_seeking(const std::set<int64_t>& wanted, Pictures& pictures);
  Status take_run(std::set<int64_t>::const_iterator from, std::set<int64_t>::const_iterator to,
                  Pictures& pictures);
  Result<bool> go_to(const FrameTable::Keyframe& keyframe);
};

Status VideoReader::State::restart() {
  if (is_at_start) return {};
  ZT_TRY_ASSIGN(input, Input::open(path, input_options(options), report));
  is_at_start = true;
  return {};
}

Status VideoReader::State::find_table() {
  if (!input.can_seek_exactly()) return {};
  if (options.tables) {
    if (auto known = options.tables->find(name)) {
      table = *std::move(known);
      return {};
    }
  }
  ZT_TRY(restart());
  is_at_start = false;
  ReadReport found;  // damage is counted when the packets are decoded
  ZT_TRY_ASSIGN(table, internal::read_table(input, found));
  report.packets += found.packets;
  if (options.tables) options.tables->keep(name, table);
  return {};
}

Result<const AVFrame*> VideoReader::State::next_frame() {
  is_at_start = false;
  ZT_TRY_ASSIGN(const AVFrame* frame, input.next_frame(report));
  if (!frame) return nullptr;
  if (first_width == 0) first_width = frame->width, first_height = frame->height;
  if (frame->width != first_width || frame->height != first_height) {
    return fail(ErrorCode::Unsupported,
                fmt::format("pictures of {} change from {} x {} to {} x {}: split the file", path.string(),
                            first_width, first_height, frame->width, frame->height));
  }
  ++report.frames;
  return frame;
}

Result<image::Image> VideoReader::State::picture_of(const AVFrame& frame) {
  const internal::LogCapture capture(report.notes);
  ZT_TRY_ASSIGN(image::Image picture, converter.convert(frame, path));
  if (!options.apply_rotation || info.orientation == image::Orientation::Upright) return picture;
  return image::oriented(picture, info.orientation);
}

Status VideoReader::State::take_from_start(const std::set<int64_t>& wanted, Pictures& pictures) {
  // Numbers of a table and of decoded pictures are not the same in a damaged file.
  if (table || !next_number || *next_number > *wanted.begin()) {
    ZT_TRY(restart());
    next_number = 0;
  }
  int64_t number = *std::exchange(next_number, std::nullopt);
  for (; number <= *wanted.rbegin(); ++number) {
    ZT_TRY_ASSIGN(const AVFrame* frame, next_frame());
    if (!frame) return fail(no_such_frame(path, *wanted.rbegin(), number));
    if (!wanted.contains(number)) continue;
    ZT_TRY_ASSIGN(pictures[number], picture_of(*frame));
  }
  if (!table) next_number = number;
  return {};
}

// Containers differ in whether they seek by pts or dts: try both, and check where it landed.
Result<bool> VideoReader::State::go_to(const FrameTable::Keyframe& keyframe) {
  is_at_start = false;
  for (const int64_t timestamp : {keyframe.pts, keyframe.dts}) {
    ZT_TRY_ASSIGN(const std::optional<int64_t> landed, input.seek(timestamp, report));
    if (landed && *landed <= keyframe.pts) return true;
  }
  return false;
}

// Wanted numbers that are decoded in one go.
Status VideoReader::State::take_run(std::set<int64_t>::const_iterator from,
                                    std::set<int64_t>::const_iterator to, Pictures& pictures) {
  const int64_t first_time = table->pts[static_cast<size_t>(*from)];
  const FrameTable::Keyframe* keyframe = table->keyframe_before(first_time);
  const std::optional<int64_t> here = std::exchange(next_number, std::nullopt);
  bool is_there =
      here && *here <= *from && keyframe && keyframe->pts <= table->pts[static_cast<size_t>(*here)];
  if (!is_there && keyframe) {
    ZT_TRY_ASSIGN(is_there, go_to(*keyframe));
  }
  if (!is_there) return take_from_start(std::set<int64_t>(from, to), pictures);
  while (from != to) {
    ZT_TRY_ASSIGN(const AVFrame* frame, next_frame());
    const int64_t time = table->pts[static_cast<size_t>(*from)];
    if (!frame || frame->best_effort_timestamp > time) {
      return fail(ErrorCode::Corrupt, fmt::format("frame {} of {} can't be decoded", *from, path.string()));
    }
    if (frame->best_effort_timestamp < time) continue;
    ZT_TRY_ASSIGN(pictures[*from], picture_of(*frame));
    ++from;
  }
  next_number = *std::prev(to) + 1;
  return {};
}

Status VideoReader::State::take_by_seeking(const std::set<int64_t>& wanted, Pictures& pictures) {
  if (*wanted.rbegin() >= static_cast<int64_t>(table->pts.size())) {
    return fail(no_such_frame(path, *wanted.rbegin(), static_cast<int64_t>(table->pts.size())));
  }
  for (auto from = wanted.begin(); from != wanted.end();) {
    // A run goes on while the next number's keyframe would not save any decoding.
    auto to = std::next(from);
    for (auto last = from; to != wanted.end(); last = to++) {
      const FrameTable::Keyframe* keyframe = table->keyframe_before(table->pts[static_cast<size_t>(*to)]);
      if (keyframe && keyframe->pts > table->pts[static_cast<size_t>(*last)] && *to - *last > 1) break;
    }
    ZT_TRY(take_run(from, to, pictures));
    from = to;
  }
  return {};
}

VideoReader::VideoReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
VideoReader::VideoReader(VideoReader&&) noexcept = default;
VideoReader& VideoReader::operator=(VideoReader&&) noexcept = default;
VideoReader::~VideoReader() = default;

Result<VideoReader> VideoReader::open(const std::filesystem::path& path, const VideoReaderOptions& options) {
  ReadReport report;
  // Before the file is opened: where it is replaced meanwhile, nobody will look for the table by this name.
  std::string name = options.tables ? FrameTables::name_of(path) : "";
  ZT_TRY_ASSIGN(Input input, Input::open(path, input_options(options), report));
  VideoInfo info = input.header_info();
  if (options.apply_rotation && info.orientation >= image::Orientation::Transpose)
    std::swap(info.width, info.height);
  return VideoReader(std::unique_ptr<State>(new State{.path = path,
                                                      .name = std::move(name),
                                                      .options = options,
                                                      .info = std::move(info),
                                                      .report = std::move(report),
                                                      .input = std::move(input),
                                                      .converter = {},
                                                      .table = {},
                                                      .next_number = {}}));
}

const VideoInfo& VideoReader::info() const { return state_->info; }
const ReadReport& VideoReader::report() const { return state_->report; }
double VideoReader::last_time_s() const { return state_->last_time_s; }

Result<std::optional<image::Image>> VideoReader::next() {
  State& s = *state_;
  if (std::exchange(s.has_jumped, false)) ZT_TRY(s.restart());
  s.next_number.reset();
  const bool is_first = s.is_at_start;
  ZT_TRY_ASSIGN(const AVFrame* frame, s.next_frame());
  if (!frame) {
    if (is_first) {
      return fail(ErrorCode::Corrupt, fmt::format("no picture of video {} can be decoded", s.path.string()));
    }
    return std::optional<image::Image>();
  }
  const int64_t pts = frame->best_effort_timestamp;
  if (is_first) s.first_pts = pts;
  if (pts != AV_NOPTS_VALUE && s.first_pts != AV_NOPTS_VALUE)
    s.last_time_s = s.input.seconds(pts - s.first_pts);
  ZT_TRY_ASSIGN(image::Image picture, s.picture_of(*frame));
  return std::optional<image::Image>(std::move(picture));
}

Result<std::vector<image::Image>> VideoReader::frames(std::span<const int64_t> numbers) {
  State& s = *state_;
  std::vector<image::Image> result;
  if (numbers.empty()) return result;
  const std::set<int64_t> wanted(numbers.begin(), numbers.end());
  if (*wanted.begin() < 0) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("frame {} of {} can't be asked for: numbers start at 0", *wanted.begin(),
                            s.path.string()));
  }
  if (!s.has_table) ZT_TRY(s.find_table());
  s.has_table = true;
  State::Pictures pictures;
  s.has_jumped = true;
  ZT_TRY(s.table ? s.take_by_seeking(wanted, pictures) : s.take_from_start(wanted, pictures));
  // The last use of a number takes its picture: a copy of each would be twice what callers make room for.
  std::map<int64_t, size_t> uses;
  for (const int64_t number : numbers) ++uses[number];
  result.reserve(numbers.size());
  for (const int64_t number : numbers) {
    image::Image& picture = pictures.at(number);
    result.push_back(--uses[number] > 0 ? picture : std::move(picture));
  }
  return result;
}

Status require_whole(const std::filesystem::path& path, const ReadReport& report) {
  constexpr std::string_view kAdvice = "copy it again, or cut it to what is there";
  // First, because a file that ends early also ends in a damaged frame.
  if (report.is_truncated)
    return fail(ErrorCode::Corrupt,
                fmt::format("{} ends early, after {} frames; {}", path.string(), report.frames, kAdvice));
  if (report.corrupt_frames > 0)
    return fail(ErrorCode::Corrupt,
                fmt::format("{} of {} frames of {} are damaged; {}", report.corrupt_frames,
                            report.frames + report.corrupt_frames, path.string(), kAdvice));
  return {};
}

Status require_whole(const std::filesystem::path& path, const VideoInfo& info) {
  ReadReport report;
  report.frames = info.num_frames;
  report.corrupt_frames = info.corrupt_frames;
  report.is_truncated = info.is_truncated;
  return require_whole(path, report);
}

Result<image::Image> read_frame(const std::filesystem::path& path, int64_t number,
                                const VideoReaderOptions& options) {
  ZT_TRY_ASSIGN(VideoReader reader, VideoReader::open(path, options));
  ZT_TRY_ASSIGN(std::vector<image::Image> pictures, reader.frames(std::span(&number, 1)));
  return std::move(pictures.front());
}

}  // namespace zt::media
