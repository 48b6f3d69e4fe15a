// SPDX-License-Identifier: Apache-2.0
#include "data/internal/footage_stamp.hpp"

#include <fmt/format.h>

#include <system_error>

#include "data/sample/frame_source.hpp"

namespace zt::data::internal {
namespace {

namespace fs = std::filesystem;

// Zeros for what can't be looked at.
std::string line_of(const fs::path& file) {
  std::error_code size_error, time_error;
  const auto size = fs::file_size(file, size_error);
  const auto modified = fs::last_write_time(file, time_error);
  return fmt::format("{} {}\n", size_error ? 0 : size, time_error ? 0 : modified.time_since_epoch().count());
}

}  // namespace

std::string stamp_of(const fs::path& path) {
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return line_of(path);
  const auto pictures = list_frames(path);
  std::string lines;
  if (pictures)
    for (const fs::path& picture : *pictures) lines += line_of(picture);
  return lines;
}

}  // namespace zt::data::internal
