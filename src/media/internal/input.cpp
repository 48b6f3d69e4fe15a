// SPDX-License-Identifier: Apache-2.0
#include "media/internal/input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "base/files/files.hpp"

namespace zt::media::internal {
namespace {

// A demuxer may fail on a packet and go on; one that only fails is at its end.
constexpr int kMaxReadErrors = 16;

// Formats that open other files (never wanted), and text-mode art that claims any .txt or .bin file.
constexpr std::array<std::string_view, 9> kRefusedFormats{"hls",  "concat", "dash", "imf", "tty",
                                                          "xbin", "bin",    "adf",  "idf"};

Status check_regular_file(const std::filesystem::path& path) {
  std::error_code code;
  const auto status = std::filesystem::status(path, code);
  if (status.type() == std::filesystem::file_type::not_found) {
    return fail(files::errno_error("open video", path, ENOENT));
  }
  if (code) return fail(files::errno_error("open video", path, code.value()));
  if (status.type() != std::filesystem::file_type::regular) {
    return fail(ErrorCode::InvalidArgument, fmt::format("video {} is not a regular file", path.string()));
  }
  if (std::filesystem::file_size(path, code) == 0) {
    return fail(ErrorCode::Corrupt, fmt::format("video {} is an empty file", path.string()));
  }
  return {};
}

int refuse_nested_file(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
  return AVERROR(EPERM);
}

// Why a demuxer gave up: a file that could not be read, whatever was made of that, or what is in it.
Error why_unread(const std::filesystem::path& path, const AVIOContext& io, int averror) {
  if (const int cause = read_error(io); cause < 0)
    return error_of("read video", path, cause, ErrorCode::Unavailable);
  return error_of("read video", path, averror, ErrorCode::Corrupt);
}

// Opens through our own handle and allows no protocol, so that a playlist can't make FFmpeg open anything
// else.
Result<Owned<AVFormatContext>> open_format(const std::filesystem::path& path, AVIOContext* io) {
  AVFormatContext* format = avformat_alloc_context();
  if (!format) return fail(ErrorCode::Exhausted, "out of memory while opening a video");
  format->pb = io;
  format->io_open = refuse_nested_file;
  format->protocol_whitelist = av_strdup("none");
  // On failure avformat_open_input frees the context.
  const int opened = avformat_open_input(&format, path.c_str(), nullptr, nullptr);
  if (opened < 0) return fail(why_unread(path, *io, opened));
  Owned<AVFormatContext> owned(format);
  if (std::find(kRefusedFormats.begin(), kRefusedFormats.end(), format->iformat->name) !=
      kRefusedFormats.end()) {
    return fail(ErrorCode::Unsupported, fmt::format("{} is not a video file (FFmpeg takes it for \"{}\")",
                                                    path.string(), format->iformat->name));
  }
  return owned;
}

// The decoders that find_stream_info opens must keep to the limit too.
Status find_streams(AVFormatContext& format, const std::filesystem::path& path, int64_t max_pixels) {
  std::vector<AVDictionary*> options(format.nb_streams, nullptr);
  for (AVDictionary*& dictionary : options) av_dict_set_int(&dictionary, "max_pixels", max_pixels, 0);
  const int found = avformat_find_stream_info(&format, options.empty() ? nullptr : options.data());
  for (AVDictionary*& dictionary : options) av_dict_free(&dictionary);
  if (found < 0) return fail(why_unread(path, *format.pb, found));
  return {};
}

bool has_audio(const AVFormatContext& format) {
  return std::any_of(format.streams, format.streams + format.nb_streams, [](const AVStream* stream) {
    return stream->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;
  });
}

Result<AVStream*> video_stream(AVFormatContext& format, const std::filesystem::path& path) {
  const int index = av_find_best_stream(&format, AVMEDIA_TYPE_VIDEO, -1, -1, nullptr, 0);
  // The cover picture of a song is stored as a video stream too.
  if (index >= 0 && !(format.streams[index]->disposition & AV_DISPOSITION_ATTACHED_PIC))
    return format.streams[index];
  return fail(
      ErrorCode::Unsupported,
      fmt::format("{} {}", path.string(), has_audio(format) ? "has sound but no picture" : "holds no video"));
}

Status check_size(int64_t width, int64_t height, const std::filesystem::path& path, int64_t max_pixels) {
  if (width <= 0 || height <= 0 || width <= max_pixels / height) return {};
  return fail(ErrorCode::Unsupported,
              fmt::format("video {} has pictures of {} x {}, more than the limit of {} pixels", path.string(),
                          width, height, max_pixels));
}

Result<Owned<AVCodecContext>> open_decoder(const AVStream& stream, const std::filesystem::path& path,
                                           const InputOptions& options) {
  const AVCodec* decoder = avcodec_find_decoder(stream.codecpar->codec_id);
  if (!decoder) {
    return fail(ErrorCode::Unsupported,
                fmt::format("this FFmpeg has no decoder for {} in {}",
                            avcodec_get_name(stream.codecpar->codec_id), path.string()));
  }
  Owned<AVCodecContext> codec(avcodec_alloc_context3(decoder));
  if (!codec) return fail(ErrorCode::Exhausted, "out of memory while opening a video decoder");
  int status = avcodec_parameters_to_context(codec.get(), stream.codecpar);
  codec->thread_count = std::max(1, options.thread_count);
  codec->max_pixels = options.max_pixels;
  codec->pkt_timebase = stream.time_base;
  codec->flags |= AV_CODEC_FLAG_BITEXACT;
  if (status >= 0) status = avcodec_open2(codec.get(), decoder, nullptr);
  if (status < 0) return fail(error_of("decode video", path, status, ErrorCode::Corrupt));
  return codec;
}

}  // namespace

Result<Input> Input::open(const std::filesystem::path& path, const InputOptions& options,
                          ReadReport& report) {
  const LogCapture capture(report.notes);
  ZT_TRY(check_regular_file(path));
  Input input;
  input.path_ = path;
  input.max_pixels_ = options.max_pixels;
  AVIOContext* io = nullptr;
  if (const int opened = avio_open2(&io, url_of(path).c_str(), AVIO_FLAG_READ, nullptr, nullptr);
      opened < 0) {
    return fail(error_of("open video", path, opened, ErrorCode::Unavailable));
  }
  input.io_.reset(io);
  ZT_TRY_ASSIGN(input.format_, open_format(path, io));
  ZT_TRY(find_streams(*input.format_, path, options.max_pixels));
  ZT_TRY_ASSIGN(input.stream_, video_stream(*input.format_, path));
  const AVCodecParameters& parameters = *input.stream_->codecpar;
  input.size_ = check_size(parameters.width, parameters.height, path, options.max_pixels);
  if (!input.size_) {
    if (options.opens_too_large) return input;
    return fail(input.size_.error());
  }
  ZT_TRY_ASSIGN(input.codec_, open_decoder(*input.stream_, path, options));
  for (unsigned i = 0; i < input.format_->nb_streams; ++i) {
    AVStream* stream = input.format_->streams[i];
    stream->discard = stream == input.stream_ ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
  }
  input.packet_.reset(av_packet_alloc());
  input.frame_.reset(av_frame_alloc());
  if (!input.packet_ || !input.frame_)
    return fail(ErrorCode::Exhausted, "out of memory while opening a video");
  return input;
}

VideoInfo Input::header_info() const {
  const AVCodecParameters& parameters = *stream_->codecpar;
  VideoInfo info;
  info.width = parameters.width;
  info.height = parameters.height;
  // What PyAV calls average_rate; the guess covers containers that store none.
  AVRational rate = stream_->avg_frame_rate;
  if (rate.num <= 0 || rate.den <= 0) rate = av_guess_frame_rate(format_.get(), stream_, nullptr);
  info.fps = {rate.num, rate.den};
  if (stream_->duration != AV_NOPTS_VALUE) {
    info.duration_s = seconds(stream_->duration);
  } else if (format_->duration != AV_NOPTS_VALUE) {
    info.duration_s = static_cast<double>(format_->duration) / AV_TIME_BASE;
  }
  info.num_frames = stream_->nb_frames;
  info.codec = avcodec_get_name(parameters.codec_id);
  info.container = format_->iformat->name;
  if (const auto* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(parameters.format))) {
    info.pixel_format = format->name;
    info.bits_per_channel = format->comp[0].depth;
  }
  size_t size = 0;
  const uint8_t* matrix = av_stream_get_side_data(stream_, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (matrix && size >= 9 * sizeof(int32_t)) {
    info.orientation = orientation_of(reinterpret_cast<const int32_t*>(matrix));
  }
  info.has_audio = has_audio(*format_);
  for (const AVDictionaryEntry* entry = nullptr;
       (entry = av_dict_get(format_->metadata, "", entry, AV_DICT_IGNORE_SUFFIX));) {
    info.metadata.emplace(entry->key, entry->value);
  }
  return info;
}

Result<const AVPacket*> Input::next_packet(ReadReport& report) {
  if (!size_) return fail(size_.error());
  const LogCapture capture(report.notes);
  if (has_pending_packet_) {
    has_pending_packet_ = false;
    return packet_.get();
  }
  for (int num_errors = 0; num_errors < kMaxReadErrors;) {
    av_packet_unref(packet_.get());
    const int status = av_read_frame(format_.get(), packet_.get());
    if (read_error(*io_) < 0) return fail(why_unread(path_, *io_, status));
    if (status == AVERROR_EOF) break;
    if (status == AVERROR(ENOMEM)) return fail(why_unread(path_, *io_, status));
    if (status < 0) {
      was_cut_ = true;
      ++num_errors;
      continue;
    }
    if (packet_->stream_index != stream_->index) continue;
    ++num_packets_;
    ++report.packets;
    if (packet_->flags & AV_PKT_FLAG_CORRUPT) was_cut_ = true;
    if (packet_->pts != AV_NOPTS_VALUE) last_end_ = std::max(last_end_, packet_->pts + packet_->duration);
    return packet_.get();
  }
  report.is_truncated = report.is_truncated || ended_early();
  return nullptr;
}

bool Input::ended_early() const {
  if (was_cut_) return true;
  if (has_sought_) return false;
  if (stream_->nb_frames > 0) return num_packets_ < stream_->nb_frames;
  // Matroska has no count but a duration, which sound may stretch.
  if (has_audio(*format_) || format_->duration <= 0 || last_end_ == AV_NOPTS_VALUE) return false;
  const double rate = av_q2d(stream_->avg_frame_rate);
  const double slack_s = 2.0 / std::max(rate, 1.0);
  const double start_s = stream_->start_time == AV_NOPTS_VALUE ? 0 : seconds(stream_->start_time);
  return seconds(last_end_) - start_s + slack_s < static_cast<double>(format_->duration) / AV_TIME_BASE;
}

// True: frame_ holds the next frame; false: the decoder wants a packet.
Result<bool> Input::receive(ReadReport& report) {
  for (;;) {
    const int status = avcodec_receive_frame(codec_.get(), frame_.get());
    if (status == AVERROR(EAGAIN) || status == AVERROR_EOF) return false;
    if (status == AVERROR(ENOMEM)) return fail(error_of("decode video", path_, status, ErrorCode::Corrupt));
    if (status < 0) {
      ++report.corrupt_frames;
      continue;
    }
    ZT_TRY(check_size(frame_->width, frame_->height, path_, max_pixels_));
    if ((frame_->flags & AV_FRAME_FLAG_CORRUPT) || frame_->decode_error_flags != 0) ++report.corrupt_frames;
    return true;
  }
}

Result<const AVFrame*> Input::next_frame(ReadReport& report) {
  if (!size_) return fail(size_.error());
  const LogCapture capture(report.notes);
  for (;;) {
    ZT_TRY_ASSIGN(const bool has_frame, receive(report));
    if (has_frame) return frame_.get();
    if (is_draining_) return nullptr;
    ZT_TRY_ASSIGN(const AVPacket* packet, next_packet(report));
    is_draining_ = packet == nullptr;
    const int status = avcodec_send_packet(codec_.get(), packet);  // null: give out what is left
    if (status == AVERROR(ENOMEM)) return fail(error_of("decode video", path_, status, ErrorCode::Corrupt));
    if (status < 0 && status != AVERROR_EOF) ++report.corrupt_frames;
  }
}

Result<std::optional<int64_t>> Input::seek(int64_t timestamp, ReadReport& report) {
  if (!size_) return fail(size_.error());
  const LogCapture capture(report.notes);
  has_sought_ = true;
  has_pending_packet_ = false;
  is_draining_ = false;
  if (av_seek_frame(format_.get(), stream_->index, timestamp, AVSEEK_FLAG_BACKWARD) < 0)
    return std::optional<int64_t>();
  avcodec_flush_buffers(codec_.get());
  ZT_TRY_ASSIGN(const AVPacket* packet, next_packet(report));
  if (!packet || packet->pts == AV_NOPTS_VALUE || !(packet->flags & AV_PKT_FLAG_KEY))
    return std::optional<int64_t>();
  has_pending_packet_ = true;
  return std::optional(packet->pts);
}

bool Input::can_seek_exactly() const {
  const std::string_view container = format_->iformat->name;
  if (container.find("mp4") == std::string_view::npos &&
      container.find("matroska") == std::string_view::npos) {
    return false;
  }
  const AVCodecParameters& parameters = *stream_->codecpar;
  if (parameters.field_order > AV_FIELD_PROGRESSIVE) return false;
  switch (parameters.codec_id) {
    case AV_CODEC_ID_H264:
    case AV_CODEC_ID_HEVC:
    case AV_CODEC_ID_MPEG4:
    case AV_CODEC_ID_MJPEG:
    case AV_CODEC_ID_PRORES:
    case AV_CODEC_ID_FFV1:
    case AV_CODEC_ID_VP9:
    case AV_CODEC_ID_AV1:
      return true;
    default:
      return false;  // VP8, for one, has packets that show nothing
  }
}

}  // namespace zt::media::internal
