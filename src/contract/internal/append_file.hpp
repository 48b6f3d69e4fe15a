// SPDX-License-Identifier: Apache-2.0
// What event and metric files share: the name <generation>.<writer>.<extension>, and appending with one write
// per record.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::contract::internal {

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
/// record.
class AppendFile {
 public:
  /// Errors: AlreadyExists; InvalidArgument for a writer that is no plain name.
  static Result<AppendFile> create(const std::filesystem::path& folder, int64_t generation,
                                   std::string_view writer, std::string_view extension);
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&&) = delete;
  ~AppendFile();
  /// After an error the file may end in a torn record and is not written to again: every later append fails
  /// likewise.
  Status append(std::string_view bytes);
  Status sync();

 private:
  AppendFile(int fd, std::filesystem::path path);
  int fd_;
  bool is_broken_ = false;
  std::filesystem::path path_;
};

}  // namespace zt::contract::internal
