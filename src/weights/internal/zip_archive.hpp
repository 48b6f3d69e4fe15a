// SPDX-License-Identifier: Apache-2.0
// The part of zip that PyTorch writes: entries stored without compression, zip64 where sizes need it
// (APPNOTE.TXT 6.3.3).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>

#include "base/error.hpp"

namespace zt::weights::internal {

struct ZipEntry {
  std::span<const std::byte> bytes;
  uint32_t crc32 = 0;  ///< as recorded, not checked; 0 where torch.save was told not to compute it
};

/// Names and bytes of an archive in memory, which must outlive it.
struct ZipArchive {
  std::unordered_map<std::string_view, ZipEntry> entries;  ///< folders are left out

  /// Whether the bytes begin like a zip file.
  static bool looks_like(std::span<const std::byte> file);
  /// Errors: Corrupt (no or broken directory, entries outside the file or over one another, doubled names),
  /// Unsupported (compression, encryption, several disks).
  static Result<ZipArchive> parse(std::span<const std::byte> file, std::string_view label);
};

/// Corrupt when the bytes do not have the CRC-32 that was recorded.
Status check_crc(const ZipEntry& entry, std::string_view name, std::string_view label);

}  // namespace zt::weights::internal
