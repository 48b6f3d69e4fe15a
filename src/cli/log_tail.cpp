// SPDX-License-Identifier: Apache-2.0
#include "cli/log_tail.hpp"

#include <fstream>
#include <utility>

namespace zt::cli {

LogTail::LogTail(std::filesystem::path path) : path_(std::move(path)) {
  std::error_code absent;
  const auto size = std::filesystem::file_size(path_, absent);
  if (!absent) offset_ = static_cast<std::streamoff>(size);
}

std::string LogTail::read() {
  std::ifstream in(path_, std::ios::binary);
  std::string chunk(size_t{1} << 18, '\0');
  if (!in.seekg(offset_)) return {};
  in.read(chunk.data(), static_cast<std::streamsize>(chunk.size()));
  chunk.resize(static_cast<size_t>(in.gcount()));
  offset_ += in.gcount();
  partial_ += chunk;
  const size_t end = partial_.rfind('\n');
  if (end == std::string::npos) return {};
  std::string lines = partial_.substr(0, end + 1);
  partial_.erase(0, end + 1);
  return lines;
}

std::string LogTail::rest() { return std::exchange(partial_, {}); }

}  // namespace zt::cli
