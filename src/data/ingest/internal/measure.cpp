// SPDX-License-Identifier: Apache-2.0
#include "data/ingest/internal/measure.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <string_view>

#include "base/hash.hpp"
#include "data/content_digest.hpp"
#include "data/internal/shots.hpp"
#include "data/internal/whole_video.hpp"
#include "data/sample/frame_source.hpp"
#include "image/file.hpp"

namespace zt::data::ingest_internal {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Finding> reject(const fs::path& path, std::string reason, std::string detail) {
  return tl::make_unexpected(Finding{path.string(), std::move(reason), std::move(detail)});
}

tl::unexpected<Finding> reject(const fs::path& path, std::string reason, const Error& error) {
  return tl::make_unexpected(Finding{path.string(), std::move(reason), error.text(), error.code});
}

tl::unexpected<Finding> reject(const fs::path& path, const Error& error) {
  return reject(path, reason_of(error.code), error);
}

// Takes frames in order and keeps what is asked for.
class Observer {
 public:
  explicit Observer(const MeasureOptions& options) : options_(options), shots_(options.cut_threshold) {}

  void add(const image::Image& frame) {
    if (options_.cut_threshold > 0) shots_.add(frame);
    if (options_.find_figure) figures_.push_back(find_figure(frame));
  }

  void finish(Facts& facts) {
    facts.cuts = shots_.cuts();
    facts.figures = std::move(figures_);
  }

 private:
  // Brighter than the noise that H.264 leaves on black.
  static constexpr uint8_t kDrawn = 48;

  static std::optional<Box> find_figure(const image::Image& frame) {
    bool is_drawn = false;
    Box box{1, 1, 0, 0};
    for (int y = 0; y < frame.height; ++y) {
      for (int x = 0; x < frame.width; ++x) {
        const uint8_t* pixel = frame.at(x, y);
        if (std::max({pixel[0], pixel[1], pixel[2]}) < kDrawn) continue;
        is_drawn = true;
        const double w = frame.width, h = frame.height;
        box = {std::min(box[0], x / w), std::min(box[1], y / h), std::max(box[2], (x + 1) / w),
               std::max(box[3], (y + 1) / h)};
      }
    }
    return is_drawn ? std::optional(box) : std::nullopt;
  }

  const MeasureOptions& options_;
  internal::ShotDetector shots_;
  std::vector<std::optional<Box>> figures_;
};

// Shortest and longest time from one frame to the next.
class Pace {
 public:
  void add(double time_s) {
    if (last_ && time_s > *last_) {
      shortest_ = std::min(shortest_, time_s - *last_);
      longest_ = std::max(longest_, time_s - *last_);
    }
    last_ = time_s;
  }
  // Rounding in containers that count milliseconds is below 1 ms to either side.
  bool is_variable() const { return longest_ - shortest_ > 0.0021; }

 private:
  std::optional<double> last_;
  double shortest_ = std::numeric_limits<double>::max();
  double longest_ = 0;
};

bool must_decode(const MeasureOptions& options) {
  return options.decode || options.cut_threshold > 0 || options.find_figure;
}

Checked<Facts> measure_pictures(const std::vector<fs::path>& files, const MeasureOptions& options) {
  Facts facts;
  facts.num_frames = static_cast<int64_t>(files.size());
  facts.is_decoded = must_decode(options);
  Observer observer(options);
  const size_t to_read = facts.is_decoded ? files.size() : 1;
  for (size_t i = 0; i < to_read; ++i) {
    const fs::path& file = files[i];
    const auto picture = image::read(file);
    if (!picture)
      return reject(file, reason_if_closed(picture.error().code, "corrupt-frames"), picture.error());
    if (i == 0) {
      facts.width = picture->width;
      facts.height = picture->height;
    } else if (picture->width != facts.width || picture->height != facts.height) {
      return reject(
          file, "size-changes",
          fmt::format("{} x {} after {} x {}", picture->width, picture->height, facts.width, facts.height));
    }
    observer.add(*picture);
  }
  observer.finish(facts);
  return facts;
}

Checked<Facts> decode_video(const fs::path& path, media::VideoReader& reader, const MeasureOptions& options,
                            Facts facts) {
  Observer observer(options);
  Pace pace;
  for (;;) {
    const auto frame = reader.next();
    if (!frame)
      return reject(
          path, frame.error().code == ErrorCode::Unsupported ? "size-changes" : reason_of(frame.error().code),
          frame.error());
    if (!*frame) break;
    pace.add(reader.last_time_s());
    observer.add(**frame);
  }
  const media::ReadReport& report = reader.report();
  // First, because a file that ends early also ends in a damaged frame.
  if (report.is_truncated)
    return reject(path, "truncated", fmt::format("the file ends early, after {} frames", report.frames));
  if (report.corrupt_frames > 0)
    return reject(path, "corrupt-frames",
                  fmt::format("{} of {} frames are damaged", report.corrupt_frames,
                              report.frames + report.corrupt_frames));
  facts.num_frames = report.frames;
  facts.is_decoded = true;
  facts.is_variable_rate = pace.is_variable();
  observer.finish(facts);
  return facts;
}

}  // namespace

std::string reason_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::NotFound:
      return "missing-file";
    case ErrorCode::Permission:
      return "no-permission";
    case ErrorCode::Unsupported:
      return "not-a-video";
    case ErrorCode::Corrupt:
      return "corrupt";
    default:
      return "unreadable";
  }
}

std::string reason_if_closed(ErrorCode code, std::string_view otherwise) {
  const bool is_closed =
      code == ErrorCode::Permission || code == ErrorCode::Unavailable || code == ErrorCode::Exhausted;
  return is_closed ? reason_of(code) : std::string(otherwise);
}

Checked<Footage> Footage::open(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    auto files = list_frames(path);
    if (!files)
      return reject(path,
                    files.error().code == ErrorCode::NotFound ? "no-frames" : reason_of(files.error().code),
                    files.error());
    return Footage(path, *std::move(files));
  }
  if (fs::is_regular_file(path, error) && fs::file_size(path, error) == 0 && !error)
    return reject(path, "empty-file", "0 bytes");
  const media::VideoReaderOptions options{.opens_too_large = true};
  auto reader = media::VideoReader::open(path, options);
  if (!reader) return reject(path, reader.error());
  const int64_t width = reader->info().width, height = reader->info().height;
  if (width > 0 && height > options.max_pixels / width)
    return reject(path, "too-large",
                  fmt::format("pictures of {} x {}, more than the limit of {} pixels", width, height,
                              options.max_pixels));
  return Footage(path, *std::move(reader));
}

Checked<Facts> Footage::measure(const MeasureOptions& options) {
  if (const auto* files = std::get_if<Files>(&source_)) return measure_pictures(*files, options);
  auto& reader = std::get<media::VideoReader>(source_);
  Facts facts;
  facts.width = reader.info().width;
  facts.height = reader.info().height;
  facts.fps = reader.info().fps;
  facts.num_frames = reader.info().num_frames;
  if (!must_decode(options) && facts.num_frames > 0) {
    const Status end = internal::require_end(path_, facts.num_frames);
    if (!end) return reject(path_, reason_if_closed(end.error().code, "truncated"), end.error());
    return facts;
  }
  return decode_video(path_, reader, options, std::move(facts));
}

Checked<Facts> measure(const fs::path& path, const MeasureOptions& options) {
  ZT_TRY_ASSIGN(Footage footage, Footage::open(path));
  return footage.measure(options);
}

Checked<std::string> digest(const fs::path& path) {
  auto digest = content_digest(path);
  if (!digest) return reject(path, digest.error());
  return *std::move(digest);
}

}  // namespace zt::data::ingest_internal
