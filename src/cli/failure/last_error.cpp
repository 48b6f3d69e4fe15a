// SPDX-License-Identifier: Apache-2.0
// See last_error.hpp.
#include "cli/failure/last_error.hpp"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string_view>

#include "base/files/files.hpp"

namespace zt::cli {
namespace {

constexpr std::string_view kErrorMark = "zoetrope-worker: error: ";
constexpr uint64_t kMaxLogBytes = uint64_t{64} << 20;

}  // namespace

std::string last_error(const std::filesystem::path& log) {
  const auto text = files::read_regular(log, kMaxLogBytes);
  const size_t said = text ? text->rfind(kErrorMark) : std::string::npos;
  if (said == std::string::npos) return {};
  const size_t begin = said + kErrorMark.size();
  return text->substr(begin, text->find('\n', begin) - begin);
}

std::string last_line(const std::filesystem::path& log) {
  constexpr size_t kMaxWords = 300;
  const std::string text = files::read_regular(log, kMaxLogBytes).value_or("");
  const size_t end = text.find_last_not_of(" \r\n");
  if (end == std::string::npos) return {};
  const size_t before = text.find_last_of('\n', end);
  const size_t begin = before == std::string::npos ? 0 : before + 1;
  return text.substr(begin, std::min(end + 1 - begin, kMaxWords));
}

void append_error(const std::filesystem::path& log, std::string_view words) {
  std::ofstream(log, std::ios::app) << kErrorMark << words << "\n";
}

}  // namespace zt::cli
