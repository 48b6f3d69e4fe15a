// SPDX-License-Identifier: Apache-2.0
// A content-addressed store of bytes on disk, for encoder outputs that many runs share
// (docs/formats/cache.md). The key names everything that determines the bytes; every read is verified; a
// damaged entry is a miss. Safe against several processes on one folder and against kill -9 at any point. Not
// durable by design: a lost entry is computed again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::data {

/// Builds a key from named fields; equal fields in equal order give equal keys, and no two field lists share
/// a key by concatenation (lengths are part of the digest).
class CacheKey {
 public:
  explicit CacheKey(std::string_view kind) { add("kind", kind); }
  CacheKey& add(std::string_view name, std::string_view value);
  CacheKey& add(std::string_view name, int64_t value);
  CacheKey& add(std::string_view name, double value);
  /// 32 lower-case digits.
  std::string hex() const;

 private:
  std::string fields_;
};

struct CacheOptions {
  std::filesystem::path folder;
  /// The least recently used entries go when it is exceeded; 0 = no limit.
  uint64_t max_bytes = uint64_t{8} << 30;
};

struct CacheStats {
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t puts = 0;
  uint64_t failed_puts = 0;
  uint64_t corrupt = 0;  ///< entries whose checksum was wrong; removed
  uint64_t evicted = 0;
  uint64_t bytes = 0;  ///< on disk, as far as this process knows
};

/// Threads: all methods from any thread.
class CacheStore {
 public:
  /// Makes the folder and removes what dead writers left. Errors: Permission, Exhausted, Unsupported (another
  /// version).
  static Result<std::unique_ptr<CacheStore>> open(CacheOptions options);
  ~CacheStore();
  /// The bytes, or nothing if absent or damaged.
  std::optional<std::vector<std::byte>> get(const std::string& key);
  bool contains(const std::string& key) const;
  /// Stores the bytes; an entry that is there is left. Errors: Exhausted (disk full), Permission.
  Status put(const std::string& key, std::span<const std::byte> bytes);
  /// What an entry takes on disk.
  static uint64_t disk_bytes_of(uint64_t payload_bytes);
  CacheStats stats() const;
  /// Why the first of the failed puts failed.
  std::optional<Error> first_failure() const;

 private:
  struct State;
  explicit CacheStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace zt::data
