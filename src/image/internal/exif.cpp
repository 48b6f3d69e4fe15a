// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string_view>

#include "image/internal/codecs.hpp"

namespace zt::image::internal {
namespace {

constexpr uint16_t kOrientationTag = 0x0112;
constexpr size_t kEntryBytes = 12;  // tag, type, count, value

// Reads of a TIFF block in its own byte order; 0 beyond the end.
class Tiff {
 public:
  explicit Tiff(Bytes block)
      : block_(block), is_big_endian_(block.size() > 1 && block[0] == std::byte{'M'}) {}
  uint32_t u16(size_t at) const { return number(at, 2); }
  uint32_t u32(size_t at) const { return number(at, 4); }

 private:
  uint32_t number(size_t at, size_t size) const {
    if (at > block_.size() || block_.size() - at < size) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      value = value << 8 | std::to_integer<uint32_t>(block_[at + (is_big_endian_ ? i : size - 1 - i)]);
    }
    return value;
  }
  Bytes block_;
  bool is_big_endian_;
};

}  // namespace

Orientation exif_orientation(Bytes block) {
  constexpr std::string_view kPrefix("Exif\0\0", 6);
  if (block.size() > kPrefix.size() && std::equal(kPrefix.begin(), kPrefix.end(), block.begin(),
                                                  [](char c, std::byte b) { return std::byte(c) == b; })) {
    block = block.subspan(kPrefix.size());
  }
  const Tiff tiff(block);
  if (tiff.u16(2) != 42) return Orientation::Upright;
  const size_t directory = tiff.u32(4);
  const uint32_t num_entries = tiff.u16(directory);
  for (uint32_t i = 0; i < num_entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (tiff.u16(entry) != kOrientationTag) continue;
    const uint32_t value = tiff.u16(entry + 8);
    return value >= 1 && value <= 8 ? static_cast<Orientation>(value) : Orientation::Upright;
  }
  return Orientation::Upright;
}

}  // namespace zt::image::internal
