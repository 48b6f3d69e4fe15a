// SPDX-License-Identifier: Apache-2.0
// Boxes as in ISO/IEC 14496-12, 4.2; RIFF chunks as in Microsoft's "AVI RIFF File Reference".
#include "data/internal/whole_video.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "base/files/descriptor.hpp"
#include "base/files/files.hpp"
#include "media/video_reader.hpp"

namespace zt::data::internal {
namespace {

namespace fs = std::filesystem;

constexpr size_t kHeadBytes = 16;
constexpr uint64_t kTailBytes = 4 << 10;
constexpr int kMostParts = 10'000;  // a fragmented film has one a second or so; beyond, nothing is said

// What the first bytes of a part of the file (box or chunk) say.
struct Part {
  std::array<uint8_t, kHeadBytes> head{};

  uint64_t big_endian(size_t start, size_t count) const {
    uint64_t value = 0;
    for (size_t i = start; i < start + count; ++i) value = value << 8 | head[i];
    return value;
  }
  uint64_t little_endian_32(size_t start) const {
    return head[start] | head[start + 1] << 8 | head[start + 2] << 16 | uint64_t{head[start + 3]} << 24;
  }
  std::string_view word(size_t start) const {
    return {reinterpret_cast<const char*>(head.data()) + start, 4};
  }
  bool is_one_of(size_t start, std::initializer_list<std::string_view> words) const {
    return std::ranges::find(words, word(start)) != words.end();
  }
};

struct OpenFile {
  files::Descriptor file;
  uint64_t size = 0;

  Part part_at(uint64_t at) const {
    Part part;
    (void)!::pread(file.get(), part.head.data(), part.head.size(), static_cast<off_t>(at));
    return part;
  }
  bool ends_in_zeros() const {
    if (size < kTailBytes) return false;
    std::vector<uint8_t> tail(kTailBytes, 1);
    (void)!::pread(file.get(), tail.data(), tail.size(), static_cast<off_t>(size - kTailBytes));
    return std::ranges::all_of(tail, [](uint8_t byte) { return byte == 0; });
  }
};

// Where the part at `at` ends; 0 if there is none, or it goes on to the end of whatever file it is in.
uint64_t end_of_box(const Part& box, uint64_t at) {
  constexpr uint64_t kLeast = 8;
  uint64_t length = box.big_endian(0, 4);
  if (length == 1) length = box.big_endian(8, 8);
  return length < kLeast ? 0 : at + std::min(length, UINT64_MAX - at);
}

uint64_t end_of_chunk(const Part& chunk, uint64_t at) {
  constexpr uint64_t kNotKnown = UINT32_MAX;  // as programs write that can't go back
  constexpr uint64_t kHead = 8;
  const uint64_t length = chunk.little_endian_32(4);
  return length == 0 || length == kNotKnown ? 0 : at + kHead + length + length % 2;
}

// The first byte that a container announces and the file has not; 0 if it has all.
uint64_t missing_end(const OpenFile& video) {
  const Part first = video.part_at(0);
  const bool is_avi = first.word(0) == "RIFF" && first.is_one_of(8, {"AVI ", "AVIX"});
  if (!is_avi && !first.is_one_of(4, {"ftyp", "moov", "mdat", "wide", "free", "skip"})) return 0;
  uint64_t at = 0;
  for (int i = 0; i < kMostParts && at + 8 <= video.size; ++i) {
    const Part part = video.part_at(at);
    // Only these are part of the film: what follows it may be anything.
    const bool is_film = is_avi ? part.word(0) == "RIFF" : part.is_one_of(4, {"moov", "moof", "mdat"});
    const uint64_t end = is_avi ? end_of_chunk(part, at) : end_of_box(part, at);
    // The byte that fills an AVI's last chunk up to an even number is often left out.
    if (is_film && end > video.size + (is_avi ? 1 : 0)) return end;
    if (end == 0) return 0;
    at = end;
  }
  return 0;
}

}  // namespace

Status require_end(const fs::path& video, int64_t num_frames) {
  OpenFile file{files::Descriptor::open(video, O_RDONLY | O_NONBLOCK)};
  struct stat facts {};
  if (!file.file || ::fstat(file.file.get(), &facts) != 0)
    return fail(files::errno_error("open video", video, errno));
  file.size = static_cast<uint64_t>(facts.st_size);
  if (const uint64_t end = missing_end(file); end > 0)
    return fail(ErrorCode::Corrupt,
                fmt::format("{} ends early: it has {} bytes of {}; copy it again, or cut it to what is there",
                            video.string(), file.size, end));
  if (!file.ends_in_zeros()) return {};
  const auto last = media::read_frame(video, num_frames - 1);
  if (last) return {};
  if (last.error().code != ErrorCode::Corrupt && last.error().code != ErrorCode::InvalidArgument)
    return fail(last.error());
  return fail(ErrorCode::Corrupt,
              fmt::format("{} ends in zeros where its last picture should be ({}); copy it again",
                          video.string(), last.error().text()));
}

}  // namespace zt::data::internal
