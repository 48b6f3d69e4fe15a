// SPDX-License-Identifier: Apache-2.0
#include "cli/ranks/log_tail.hpp"

#include <utility>

namespace zt::cli {

LogTail::LogTail(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code absent;
  const auto size = std::filesystem::file_size(path_, absent);
  if (!absent) offset_ = static_cast<std::streamoff>(size);
}

std::string LogTail::read() {
  // Anew each time: only then does a network file system show what another host wrote.
  if (std::ifstream anew(path_, std::ios::binary); anew) file_ = std::move(anew);
  file_.clear();
  std::string chunk(size_t{1} << 18, '\0');
  if (!file_.is_open() || !file_.seekg(offset_)) return {};
  file_.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
  chunk.resize(static_cast<size_t>(file_.gcount()));
  offset_ += file_.gcount();
  partial_ += chunk;
  const size_t end = partial_.rfind('\n');
  if (end == std::string::npos) return {};
  std::string lines = partial_.substr(0, end + 1);
  partial_.erase(0, end + 1);
  return lines;
}

std::string LogTail::rest() { return std::exchange(partial_, {}); }

}  // namespace zt::cli
