// SPDX-License-Identifier: Apache-2.0
#include "weights/internal/zip_archive.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <vector>

#include "base/text/text.hpp"
#include "weights/internal/byte_reader.hpp"

namespace zt::weights::internal {
namespace {

using Bytes = std::span<const std::byte>;

constexpr uint32_t kLocalSignature = 0x04034B50, kCentralSignature = 0x02014B50, kEndSignature = 0x06054B50;
constexpr uint32_t kEnd64Signature = 0x06064B50, kLocator64Signature = 0x07064B50;
constexpr size_t kLocalSize = 30, kCentralSize = 46, kEndSize = 22, kEnd64Size = 56, kLocator64Size = 20;
constexpr size_t kMaxCommentBytes = 65535;
constexpr uint16_t kEncryptedFlag = 1;
constexpr uint16_t kZip64Extra = 1;
constexpr uint32_t kIn64 = 0xFFFFFFFF;  // "look in the zip64 field"

tl::unexpected<Error> corrupt(std::string_view label, std::string_view what) {
  return fail(ErrorCode::Corrupt,
              fmt::format("{} is not a whole zip archive: {}. Fetch it again.", label, what));
}

// Reads a field whose place was checked before.
template <class T>
T field(Bytes bytes, size_t offset) {
  return load<T>(bytes, offset).value_or(T{});
}

struct Directory {
  uint64_t offset = 0, size = 0, count = 0;
};

// The end record is the last one whose comment reaches exactly to the end of the file.
std::optional<size_t> find_end_record(Bytes file) {
  if (file.size() < kEndSize) return std::nullopt;
  const size_t last = file.size() - kEndSize;
  const size_t first = last > kMaxCommentBytes ? last - kMaxCommentBytes : 0;
  for (size_t at = last + 1; at-- > first;) {
    if (field<uint32_t>(file, at) == kEndSignature &&
        at + kEndSize + field<uint16_t>(file, at + 20) == file.size())
      return at;
  }
  return std::nullopt;
}

Result<Directory> find_directory(Bytes file, std::string_view label) {
  const auto end = find_end_record(file);
  if (!end) return corrupt(label, "it has no end record (is the file cut short?)");
  if (field<uint16_t>(file, *end + 4) != 0 && field<uint16_t>(file, *end + 4) != 0xFFFF) {
    return fail(ErrorCode::Unsupported, fmt::format("{} is one part of a split zip archive", label));
  }
  Directory d{field<uint32_t>(file, *end + 16), field<uint32_t>(file, *end + 12),
              field<uint16_t>(file, *end + 10)};
  uint64_t limit = *end;
  if (*end >= kLocator64Size && field<uint32_t>(file, *end - kLocator64Size) == kLocator64Signature) {
    const size_t locator = *end - kLocator64Size;
    const uint64_t at = field<uint64_t>(file, locator + 8);
    if (at > locator || locator - at < kEnd64Size ||
        field<uint32_t>(file, static_cast<size_t>(at)) != kEnd64Signature) {
      return corrupt(label, "its zip64 end record is not where the locator says");
    }
    const auto record = static_cast<size_t>(at);
    d = {field<uint64_t>(file, record + 48), field<uint64_t>(file, record + 40),
         field<uint64_t>(file, record + 32)};
    limit = at;
  }
  if (d.offset > limit || d.size > limit - d.offset || d.count > d.size / kCentralSize) {
    return corrupt(label, "its directory lies outside the file");
  }
  return d;
}

struct CentralEntry {
  std::string_view name;
  uint64_t size = 0, header_offset = 0;
  uint32_t crc32 = 0;
};

// Takes the 64-bit values of the extra field, in the order size, stored size, offset, for those that say so.
Status read_zip64(Bytes extra, CentralEntry& entry, uint64_t& stored_size, std::string_view label) {
  ByteReader reader(extra);
  while (reader.left() >= 4) {
    const uint16_t id = *reader.read<uint16_t>();
    const auto body = reader.take(*reader.read<uint16_t>());
    if (!body) return corrupt(label, "an extra field is longer than its entry");
    if (id != kZip64Extra) continue;
    ByteReader values(*body);
    for (uint64_t* value : {&entry.size, &stored_size, &entry.header_offset}) {
      if (*value != kIn64) continue;
      const auto wide = values.read<uint64_t>();
      if (!wide) return corrupt(label, "a zip64 field is too short");
      *value = *wide;
    }
    return {};
  }
  return {};
}

Result<CentralEntry> read_central(ByteReader& reader, std::string_view label) {
  const auto fixed = reader.take(kCentralSize);
  if (!fixed || field<uint32_t>(*fixed, 0) != kCentralSignature)
    return corrupt(label, "its directory is broken");
  const auto name = reader.take(field<uint16_t>(*fixed, 28));
  const auto extra = reader.take(field<uint16_t>(*fixed, 30));
  const auto comment = reader.take(field<uint16_t>(*fixed, 32));
  if (!name || !extra || !comment) return corrupt(label, "its directory is broken");
  CentralEntry entry{as_text(*name), field<uint32_t>(*fixed, 24), field<uint32_t>(*fixed, 42),
                     field<uint32_t>(*fixed, 16)};
  uint64_t stored_size = field<uint32_t>(*fixed, 20);
  const uint16_t flags = field<uint16_t>(*fixed, 8), method = field<uint16_t>(*fixed, 10);
  if ((flags & kEncryptedFlag) != 0 || method != 0) {
    return fail(ErrorCode::Unsupported, fmt::format("{}: entry {} is compressed or encrypted (method {}); "
                                                    "torch.save stores entries as they are. Save "
                                                    "the file again from PyTorch.",
                                                    label, text::quoted(entry.name), method));
  }
  ZT_TRY(read_zip64(*extra, entry, stored_size, label));
  if (stored_size != entry.size) return corrupt(label, "a stored entry has two sizes");
  return entry;
}

// The entry's bytes, by its local header. `limit`: where the directory begins.
Result<Bytes> locate(Bytes file, const CentralEntry& entry, uint64_t limit, std::string_view label) {
  if (entry.header_offset > limit || limit - entry.header_offset < kLocalSize) {
    return corrupt(label, fmt::format("entry {} lies outside the file", text::quoted(entry.name)));
  }
  const auto at = static_cast<size_t>(entry.header_offset);
  const size_t name_size = field<uint16_t>(file, at + 26), extra_size = field<uint16_t>(file, at + 28);
  const uint64_t begin = uint64_t{at} + kLocalSize + name_size + extra_size;
  if (field<uint32_t>(file, at) != kLocalSignature || begin > limit || entry.size > limit - begin ||
      as_text(file.subspan(at + kLocalSize, name_size)) != entry.name) {
    return corrupt(label, fmt::format("entry {} is not where the directory says", text::quoted(entry.name)));
  }
  return file.subspan(static_cast<size_t>(begin), static_cast<size_t>(entry.size));
}

// Entries over one another could make a small file stand for a huge one.
Status check_no_overlap(const std::unordered_map<std::string_view, ZipEntry>& entries,
                        std::string_view label) {
  std::vector<Bytes> ranges;
  for (const auto& [name, entry] : entries) {
    if (!entry.bytes.empty()) ranges.push_back(entry.bytes);
  }
  std::sort(ranges.begin(), ranges.end(), [](Bytes a, Bytes b) { return a.data() < b.data(); });
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i - 1].data() + ranges[i - 1].size() > ranges[i].data())
      return corrupt(label, "two entries overlap");
  }
  return {};
}

}  // namespace

bool ZipArchive::looks_like(Bytes file) { return load<uint32_t>(file, 0) == kLocalSignature; }

Result<ZipArchive> ZipArchive::parse(Bytes file, std::string_view label) {
  ZT_TRY_ASSIGN(const Directory directory, find_directory(file, label));
  ByteReader reader(file.subspan(static_cast<size_t>(directory.offset), static_cast<size_t>(directory.size)));
  ZipArchive archive;
  for (uint64_t i = 0; i < directory.count; ++i) {
    ZT_TRY_ASSIGN(const CentralEntry central, read_central(reader, label));
    if (central.name.ends_with('/')) continue;
    ZT_TRY_ASSIGN(const Bytes bytes, locate(file, central, directory.offset, label));
    if (!archive.entries.emplace(central.name, ZipEntry{bytes, central.crc32}).second) {
      return corrupt(label, fmt::format("entry {} occurs twice", text::quoted(central.name)));
    }
  }
  ZT_TRY(check_no_overlap(archive.entries, label));
  return archive;
}

Status check_crc(const ZipEntry& entry, std::string_view name, std::string_view label) {
  if (entry.crc32 == 0) return {};
  const uLong found = ::crc32_z(0, reinterpret_cast<const Bytef*>(entry.bytes.data()), entry.bytes.size());
  if (found == entry.crc32) return {};
  return corrupt(label, fmt::format("entry {} has the checksum {:08x}, wanted {:08x}", text::quoted(name),
                                    found, entry.crc32));
}

}  // namespace zt::weights::internal
