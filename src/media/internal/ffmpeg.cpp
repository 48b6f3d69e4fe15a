// SPDX-License-Identifier: Apache-2.0
#include "media/internal/ffmpeg.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <climits>
#include <cstdarg>
#include <mutex>

#include "base/files/files.hpp"
#include "base/text/text.hpp"

namespace zt::media::internal {
namespace {

constexpr size_t kMaxLines = 16;

thread_local std::vector<std::string>* current_lines = nullptr;

void on_log(void* context, int level, const char* format, va_list arguments) {
  if (level > AV_LOG_WARNING || !current_lines || current_lines->size() >= kMaxLines) return;
  char line[256];
  int print_prefix = 1;
  av_log_format_line2(context, level, format, arguments, line, sizeof line, &print_prefix);
  std::string_view trimmed = text::trim(line);
  // "[h264 @ 0x55...] message": the address says nothing and differs from run to run.
  const size_t at = trimmed.find(" @ 0x"), bracket = trimmed.find("] ");
  std::string kept(trimmed);
  if (at != std::string_view::npos && bracket != std::string_view::npos && at < bracket) {
    kept = fmt::format("{}: {}", trimmed.substr(1, at - 1), trimmed.substr(bracket + 2));
  }
  if (!kept.empty() &&
      std::find(current_lines->begin(), current_lines->end(), kept) == current_lines->end()) {
    current_lines->push_back(std::move(kept));
  }
}

// FFmpeg never takes more than this at once (av_max_alloc): where that much can be had, a request that failed
// was for more, and the number came from the file.
bool is_short_of_memory() {
  constexpr size_t kMostAtOnce = INT_MAX;
  void* room = ::mmap(nullptr, kMostAtOnce, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return true;
  ::munmap(room, kMostAtOnce);
  return false;
}

}  // namespace

void Deleter::operator()(AVFormatContext* format) const { avformat_close_input(&format); }

std::string text_of(int averror) {
  char text[AV_ERROR_MAX_STRING_SIZE] = "";
  av_strerror(averror, text, sizeof text);
  return text;
}

Error error_of(std::string_view doing, const std::filesystem::path& path, int averror, ErrorCode otherwise) {
  ErrorCode code = otherwise;
  switch (AVUNERROR(averror)) {
    case ENOENT:
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case EIO:
      return files::errno_error(doing, path, AVUNERROR(averror));
    case ENOMEM:
      if (is_short_of_memory()) code = ErrorCode::Exhausted;
      break;
    case EAGAIN:  // of pthread_create
      code = ErrorCode::Exhausted;
      break;
    default:
      break;
  }
  if (averror == AVERROR_DECODER_NOT_FOUND || averror == AVERROR_ENCODER_NOT_FOUND)
    code = ErrorCode::Unsupported;
  return Error{code, fmt::format("cannot {} {}: {}", doing, path.string(), text_of(averror)), {}};
}

int read_error(const AVIOContext& io) { return io.error == AVERROR_EOF ? 0 : io.error; }

Result<Owned<AVFrame>> new_frame(int width, int height, AVPixelFormat format) {
  Owned<AVFrame> frame(av_frame_alloc());
  if (frame) {
    frame->width = width;
    frame->height = height;
    frame->format = format;
  }
  if (!frame || av_frame_get_buffer(frame.get(), 0) < 0)
    return fail(ErrorCode::Exhausted, fmt::format("no memory for a video frame of {} x {}", width, height));
  return frame;
}

std::string url_of(const std::filesystem::path& path) { return "file:" + path.string(); }

LogCapture::LogCapture(std::vector<std::string>& lines) : before_(current_lines) {
  static std::once_flag once;
  std::call_once(once, [] { av_log_set_callback(on_log); });
  current_lines = &lines;
}

LogCapture::~LogCapture() { current_lines = before_; }

}  // namespace zt::media::internal
