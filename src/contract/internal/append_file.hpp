// SPDX-License-Identifier: Apache-2.0
// What event and metric files share: the name <generation>.<writer>.<extension>, and appending whole records,
// which wait in memory while the disk takes none.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::contract::internal {

inline constexpr std::string_view kEventExtension = "jsonl";
inline constexpr std::string_view kMetricExtension = "seg";
/// Generations are padded to 6 digits, so that a listing shows them in order.
std::string segment_name(int64_t generation, std::string_view writer, std::string_view extension);

struct SegmentFile {
  std::filesystem::path path;
  int64_t generation = 0;
  std::string writer;
};
/// The files of a folder whose names fit, sorted by (generation, writer); strangers are skipped.
std::vector<SegmentFile> list_segments(const std::filesystem::path& folder, std::string_view extension);

/// A new file that is only appended to. Each append is one write(2), so that a crash tears at most the last
/// record. What could not be written (disk full) is kept and goes with the next append.
class AppendFile {
 public:
  /// Errors: AlreadyExists; InvalidArgument for a writer that is no plain name.
  static Result<AppendFile> create(const std::filesystem::path& folder, int64_t generation,
                                   std::string_view writer, std::string_view extension);
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&&) = delete;
  ~AppendFile();
  /// Room to keep another record, should it not be writable. Errors: why what is kept can't be written.
  Status make_room();
  /// Requires: make_room(). After an error the record is kept.
  Status append(std::string_view record);
  /// Threads: may run beside an append.
  Status sync();

 private:
  AppendFile(int fd, std::filesystem::path path);
  Status write_kept();
  int fd_;
  std::filesystem::path path_;
  std::string kept_;       ///< whole records that are not in the file yet
  off_t whole_bytes_ = 0;  ///< of the file's whole records
  bool is_torn_ = false;   ///< a part of kept_ is behind them
};

}  // namespace zt::contract::internal
