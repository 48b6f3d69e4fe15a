// SPDX-License-Identifier: Apache-2.0
#include "media/video_writer.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <optional>

#include "base/files/files.hpp"
#include "base/text/text.hpp"
#include "media/internal/ffmpeg.hpp"

namespace zt::media {

using internal::error_of;
using internal::LogCapture;
using internal::new_frame;
using internal::Owned;
using internal::text_of;

namespace {

constexpr int kMaxCrf = 51;

int even(int side) { return side + side % 2; }  // yuv420p halves both sides

Status check(const std::filesystem::path& path, const VideoWriterOptions& options) {
  const auto wrong = [&](std::string what) {
    return fail(ErrorCode::InvalidArgument, fmt::format("can't write video {}: {}", path.string(), what));
  };
  if (options.width < 1 || options.height < 1 || options.width > kMaxVideoSide ||
      options.height > kMaxVideoSide) {
    return wrong(
        fmt::format("the size {} x {} is not within 1..{}", options.width, options.height, kMaxVideoSide));
  }
  constexpr int64_t kMaxInt = std::numeric_limits<int>::max();
  const Rational fps = options.fps;
  if (fps.num < 1 || fps.den < 1 || fps.num > kMaxInt || fps.den > kMaxInt || fps.value() > 1000) {
    return wrong(fmt::format("{}/{} frames a second is not between 0 and 1000", fps.num, fps.den));
  }
  if (options.crf < 0 || options.crf > kMaxCrf)
    return wrong(fmt::format("crf {} is not within 0..51", options.crf));
  if (options.gop < 1) return wrong(fmt::format("a keyframe distance of {} is below 1", options.gop));
  return {};
}

// Those whose files we read back; FFmpeg knows others by their endings that take no H.264 or MPEG-4, or no
// rate or metadata.
Result<const AVOutputFormat*> container_of(const std::filesystem::path& path) {
  constexpr std::array<std::string_view, 4> kWritten = {"mp4", "mov", "matroska", "avi"};
  const AVOutputFormat* container = av_guess_format(nullptr, path.c_str(), nullptr);
  if (container && std::ranges::find(kWritten, container->name) != kWritten.end()) return container;
  return fail(ErrorCode::InvalidArgument,
              fmt::format("can't write video {}: end its name in .mp4, .mov, .mkv or .avi", path.string()));
}

// An output's parts, freed in the right order whatever happens.
struct OutputDeleter {
  void operator()(AVFormatContext* format) const {
    if (format->pb) avio_closep(&format->pb);
    avformat_free_context(format);
  }
};
using Output = std::unique_ptr<AVFormatContext, OutputDeleter>;

// One encoder with our settings, or why it does not work.
Result<Owned<AVCodecContext>> open_encoder(const std::string& name, const VideoWriterOptions& options,
                                           const AVOutputFormat& container) {
  const AVCodec* encoder = avcodec_find_encoder_by_name(name.c_str());
  if (!encoder) return fail(ErrorCode::Unsupported, name + ": not in this FFmpeg");
  if (avformat_query_codec(&container, encoder->id, FF_COMPLIANCE_NORMAL) == 0) {
    return fail(ErrorCode::Unsupported, fmt::format("{}: not for {} files", name, container.name));
  }
  Owned<AVCodecContext> codec(avcodec_alloc_context3(encoder));
  if (!codec) return fail(ErrorCode::Exhausted, "out of memory while opening a video encoder");
  codec->width = even(options.width);
  codec->height = even(options.height);
  codec->pix_fmt = AV_PIX_FMT_YUV420P;
  codec->color_range = AVCOL_RANGE_MPEG;
  codec->colorspace = AVCOL_SPC_SMPTE170M;  // BT.601, what swscale makes by default
  codec->framerate = {static_cast<int>(options.fps.num), static_cast<int>(options.fps.den)};
  codec->time_base = av_inv_q(codec->framerate);
  codec->gop_size = options.gop;
  codec->thread_count = 1;
  codec->flags |= AV_CODEC_FLAG_BITEXACT;
  if (container.flags & AVFMT_GLOBALHEADER) codec->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  if (name == "libx264") {
    av_opt_set_int(codec->priv_data, "crf", options.crf, 0);
    // x264's AVX-512 code for macroblock trees gives other results from run to run on pictures of 64 pixels
    // and less (seen with build 164; not with asm=avx2).
    av_opt_set(codec->priv_data, "x264-params", "mbtree=0", 0);
    if (av_opt_set(codec->priv_data, "preset", options.preset.c_str(), 0) < 0) {
      return fail(ErrorCode::InvalidArgument, fmt::format("{}: no preset \"{}\"", name, options.preset));
    }
  } else {
    codec->flags |= AV_CODEC_FLAG_QSCALE;
    codec->global_quality = FF_QP2LAMBDA * std::max(1, options.crf / 6);
  }
  const int opened = avcodec_open2(codec.get(), encoder, nullptr);
  if (opened < 0) return fail(ErrorCode::Unsupported, fmt::format("{}: {}", name, text_of(opened)));
  return codec;
}

Result<Owned<AVCodecContext>> open_first_encoder(const std::filesystem::path& path,
                                                 const VideoWriterOptions& options,
                                                 const AVOutputFormat& container) {
  std::vector<std::string> reasons;
  for (const std::string& name : options.encoders) {
    auto codec = open_encoder(name, options, container);
    if (codec) return codec;
    reasons.push_back(std::move(codec).error().message);
  }
  return fail(ErrorCode::Unsupported,
              fmt::format("no video encoder for {} works ({}): install an FFmpeg with libx264", path.string(),
                          text::join(reasons, "; ")));
}

// Into the encoder's even size: the last column and row are repeated.
void copy_padded(const image::Image& picture, AVFrame& rgb) {
  for (int y = 0; y < rgb.height; ++y) {
    uint8_t* to = rgb.data[0] + std::ptrdiff_t{y} * rgb.linesize[0];
    const uint8_t* from = picture.row(std::min(y, picture.height - 1));
    std::copy_n(from, picture.row_bytes(), to);
    if (rgb.width > picture.width) {
      std::copy_n(from + picture.row_bytes() - 3, 3, to + picture.row_bytes());
    }
  }
}

}  // namespace

struct VideoWriter::State {
  std::filesystem::path path;
  std::optional<files::Temporary> temporary;  // while the file has not got its name
  int width = 0, height = 0;                  // of the pictures
  std::string encoder;
  std::vector<std::string> notes;
  Owned<AVCodecContext> codec;
  Output output;
  Owned<SwsContext> scaler;
  Owned<AVFrame> rgb, yuv;
  Owned<AVPacket> packet;
  int64_t num_frames = 0;

  Status open_file(const AVOutputFormat& container, const VideoWriterOptions& options);
  Status make_buffers();
  Status encode(const AVFrame* frame);
};

Status VideoWriter::State::open_file(const AVOutputFormat& container, const VideoWriterOptions& options) {
  ZT_TRY_ASSIGN(files::Temporary made, files::Temporary::file(path));
  temporary.emplace(std::move(made));
  AVFormatContext* format = nullptr;
  avformat_alloc_output_context2(&format, &container, nullptr, internal::url_of(temporary->path()).c_str());
  if (!format) return fail(ErrorCode::Exhausted, "out of memory while opening a video file");
  output.reset(format);
  AVStream* stream = avformat_new_stream(format, nullptr);
  if (!stream) return fail(ErrorCode::Exhausted, "out of memory while opening a video file");
  stream->time_base = codec->time_base;
  stream->avg_frame_rate = codec->framerate;
  avcodec_parameters_from_context(stream->codecpar, codec.get());
  format->flags |= AVFMT_FLAG_BITEXACT;
  for (const auto& [key, value] : options.metadata)
    av_dict_set(&format->metadata, key.c_str(), value.c_str(), 0);
  AVDictionary* muxer_options = nullptr;
  if (const std::string_view kind = container.name; kind == "mp4" || kind == "mov") {
    // The index first, so that browsers start at once; any metadata key, not only the few that mp4 knows.
    av_dict_set(&muxer_options, "movflags", "+faststart+use_metadata_tags", 0);
  }
  int status = avio_open(&format->pb, format->url, AVIO_FLAG_WRITE);
  if (status >= 0) status = avformat_write_header(format, &muxer_options);
  av_dict_free(&muxer_options);
  if (status < 0) return fail(error_of("write video", path, status, ErrorCode::Unavailable));
  return {};
}

Status VideoWriter::State::make_buffers() {
  ZT_TRY_ASSIGN(rgb, new_frame(codec->width, codec->height, AV_PIX_FMT_RGB24));
  ZT_TRY_ASSIGN(yuv, new_frame(codec->width, codec->height, AV_PIX_FMT_YUV420P));
  packet.reset(av_packet_alloc());
  scaler.reset(sws_getContext(
      codec->width, codec->height, AV_PIX_FMT_RGB24, codec->width, codec->height, AV_PIX_FMT_YUV420P,
      SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INP | SWS_BITEXACT, nullptr, nullptr, nullptr));
  if (!packet || !scaler) return fail(ErrorCode::Exhausted, "out of memory while opening a video encoder");
  const int* matrix = sws_getCoefficients(SWS_CS_ITU601);
  sws_setColorspaceDetails(scaler.get(), matrix, 1, matrix, 0, 0, 1 << 16, 1 << 16);
  return {};
}

// Gives the encoder a frame (null: no more) and writes what comes out.
Status VideoWriter::State::encode(const AVFrame* frame) {
  int status = avcodec_send_frame(codec.get(), frame);
  while (status >= 0) {
    status = avcodec_receive_packet(codec.get(), packet.get());
    if (status == AVERROR(EAGAIN) || status == AVERROR_EOF) return {};
    if (status < 0) break;
    packet->duration = 1;
    packet->stream_index = 0;
    av_packet_rescale_ts(packet.get(), codec->time_base, output->streams[0]->time_base);
    status = av_interleaved_write_frame(output.get(), packet.get());
  }
  return fail(error_of("write video", path, status, ErrorCode::Internal));
}

VideoWriter::VideoWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
VideoWriter::VideoWriter(VideoWriter&&) noexcept = default;
VideoWriter& VideoWriter::operator=(VideoWriter&&) noexcept = default;
VideoWriter::~VideoWriter() = default;

int VideoWriter::width() const { return state_->codec->width; }
int VideoWriter::height() const { return state_->codec->height; }
const std::string& VideoWriter::encoder() const { return state_->encoder; }

Status require_video_name(const std::filesystem::path& path) {
  ZT_TRY(container_of(path));
  return {};
}

Result<VideoWriter> VideoWriter::open(const std::filesystem::path& path, const VideoWriterOptions& options) {
  ZT_TRY(check(path, options));
  auto state = std::make_unique<State>();
  const LogCapture capture(state->notes);
  ZT_TRY_ASSIGN(const AVOutputFormat* container, container_of(path));
  state->path = path;
  state->width = options.width;
  state->height = options.height;
  ZT_TRY_ASSIGN(state->codec, open_first_encoder(path, options, *container));
  state->encoder = state->codec->codec->name;
  ZT_TRY(state->make_buffers());
  ZT_TRY(state->open_file(*container, options));
  return VideoWriter(std::move(state));
}

Status VideoWriter::write(const image::Image& picture) {
  State& s = *state_;
  if (picture.width != s.width || picture.height != s.height || picture.channels != 3) {
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("a picture of {} x {} with {} channels does not fit into video {} of {} x {} with 3",
                    picture.width, picture.height, picture.channels, s.path.string(), s.width, s.height));
  }
  const LogCapture capture(s.notes);
  copy_padded(picture, *s.rgb);
  // The encoder may still hold the last frame's buffer.
  if (av_frame_make_writable(s.yuv.get()) < 0)
    return fail(ErrorCode::Exhausted, "no memory for a video frame");
  sws_scale(s.scaler.get(), s.rgb->data, s.rgb->linesize, 0, s.rgb->height, s.yuv->data, s.yuv->linesize);
  s.yuv->pts = s.num_frames++;
  s.yuv->quality = s.codec->global_quality;
  return s.encode(s.yuv.get());
}

Status VideoWriter::finish() {
  State& s = *state_;
  if (s.num_frames == 0) {
    return fail(ErrorCode::InvalidArgument,
                fmt::format("video {} has no pictures: nothing is written", s.path.string()));
  }
  const LogCapture capture(s.notes);
  ZT_TRY(s.encode(nullptr));
  int status = av_write_trailer(s.output.get());
  const int closed = avio_closep(&s.output->pb);
  if (status >= 0) status = closed;
  if (status < 0) return fail(error_of("write video", s.path, status, ErrorCode::Unavailable));
  if (::fsync(s.temporary->descriptor()) != 0) return fail(files::errno_error("sync", s.path, errno));
  ZT_TRY(files::rename_durable(s.temporary->path(), s.path));
  s.temporary.reset();
  return {};
}

Status write_video(const std::filesystem::path& path, std::span<const image::Image> pictures,
                   const VideoWriterOptions& options) {
  ZT_TRY_ASSIGN(VideoWriter writer, VideoWriter::open(path, options));
  for (const image::Image& picture : pictures) ZT_TRY(writer.write(picture));
  return writer.finish();
}

}  // namespace zt::media
