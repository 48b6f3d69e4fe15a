// SPDX-License-Identifier: Apache-2.0
#include "data/sample/frame_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <system_error>
#include <tuple>
#include <utility>

#include "base/files/files.hpp"
#include "image/file.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;

bool is_picture(const fs::path& path) {
  constexpr std::array<std::string_view, 4> kEndings = {".png", ".jpg", ".jpeg", ".webp"};
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end();
}

// The last run of digits in the name, without leading zeros; longer runs are larger numbers.
std::string last_number(const fs::path& path) {
  const std::string stem = path.stem().string();
  constexpr std::string_view kDigits = "0123456789";
  const size_t end = stem.find_last_of(kDigits);
  if (end == std::string::npos) return {};
  const size_t before = stem.find_last_not_of(kDigits, end);
  const size_t start = before == std::string::npos ? 0 : before + 1;
  const std::string digits = stem.substr(start, end + 1 - start);
  return digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
}

Result<std::vector<image::Image>> read_files(const std::vector<fs::path>& files,
                                             std::span<const int64_t> numbers) {
  std::vector<image::Image> pictures;
  pictures.reserve(numbers.size());
  for (const int64_t number : numbers) {
    if (number < 0 || number >= static_cast<int64_t>(files.size()))
      return fail(ErrorCode::InvalidArgument, fmt::format("no picture {} among the {} of {}", number,
                                                          files.size(), files[0].parent_path().string()));
    ZT_TRY_ASSIGN(image::Image picture, image::read(files[static_cast<size_t>(number)]));
    pictures.push_back(std::move(picture));
  }
  return pictures;
}

}  // namespace

bool is_video_name(const fs::path& path) {
  constexpr std::array<std::string_view, 20> kEndings = {
      ".mp4",  ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".ts",  ".mts",
      ".m2ts", ".flv", ".wmv", ".3gp", ".ogv",  ".vob", ".gif", ".mxf",  ".y4m", ".asf"};
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end();
}

Result<std::vector<fs::path>> list_frames(const fs::path& folder) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) return fail(files::errno_error("list folder", folder, error.value()));
  std::vector<fs::path> found;
  for (; entries != fs::directory_iterator(); entries.increment(error)) {
    if (is_picture(entries->path())) found.push_back(entries->path());
  }
  if (error) return fail(files::errno_error("list folder", folder, error.value()));  // which ends the loop
  if (found.empty()) return fail(ErrorCode::NotFound, "no PNG, JPEG or WebP picture in " + folder.string());
  std::vector<std::tuple<size_t, std::string, fs::path>>
      keyed;  // length first: numeric order without overflow
  for (fs::path& path : found) {
    std::string number = last_number(path);
    const size_t digits = number.size();
    keyed.emplace_back(digits, std::move(number), std::move(path));
  }
  std::sort(keyed.begin(), keyed.end());
  for (size_t i = 0; i < keyed.size(); ++i) found[i] = std::move(std::get<fs::path>(keyed[i]));
  return found;
}

Result<FrameSource> FrameSource::open(const fs::path& path, std::shared_ptr<media::FrameTables> tables) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    ZT_TRY_ASSIGN(Files files, list_frames(path));
    return FrameSource(std::move(files));
  }
  ZT_TRY_ASSIGN(media::VideoReader reader, media::VideoReader::open(path, {.tables = std::move(tables)}));
  return FrameSource(std::move(reader));
}

Result<std::vector<image::Image>> FrameSource::frames(std::span<const int64_t> numbers) {
  if (const auto* files = std::get_if<Files>(&source_)) return read_files(*files, numbers);
  return std::get<media::VideoReader>(source_).frames(numbers);
}

}  // namespace zt::data
