// SPDX-License-Identifier: Apache-2.0
#include "data/internal/pairs.hpp"

#include <array>
#include <system_error>

namespace zt::data::internal {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> kSuffixes = {kPoseSuffix, kKeypointsSuffix, kMaskSuffix,
                                                       kLabelsSuffix, kBackgroundSuffix};
constexpr std::array<std::string_view, 2> kPoseEndings = {kPoseSuffix, "_kps"};

bool is_there(const fs::path& folder) {
  std::error_code error;
  return fs::is_directory(folder, error);
}

// The path itself or the nearest folder above it that is in the set; the set's end if there is none.
std::set<fs::path>::const_iterator nearest_above(const std::set<fs::path>& folders, fs::path path) {
  for (; !path.empty(); path = path.parent_path()) {
    if (const auto found = folders.find(path); found != folders.end()) return found;
    if (path == path.parent_path()) break;
  }
  return folders.end();
}

fs::path without_links(const fs::path& path) {
  std::error_code error;
  fs::path real = fs::weakly_canonical(path, error);
  return error ? path : real;
}

}  // namespace

fs::path with_suffix(const fs::path& folder, std::string_view suffix) {
  fs::path path = folder;
  path += suffix;
  return path;
}

fs::path named(const fs::path& folder) {
  const fs::path plain = folder.has_filename() ? folder : folder.parent_path();
  return plain.filename() == "." || plain.filename() == ".." ? without_links(plain) : plain;
}

bool is_root(const fs::path& folder) {
  return is_there(folder) &&
         (is_there(with_suffix(folder, kPoseSuffix)) || is_there(with_suffix(folder, kKeypointsSuffix)));
}

std::optional<std::string> stem_of_film(const fs::path& pose_video) {
  std::string stem = fs::path(pose_video).replace_extension().string();
  for (const std::string_view ending : kPoseEndings) {
    if (!stem.ends_with(ending)) continue;
    stem.resize(stem.size() - ending.size());
    return stem;
  }
  return std::nullopt;
}

Roots::Roots(std::span<const fs::directory_entry> entries) {
  for (const fs::directory_entry& entry : entries) {
    std::error_code error;
    if (!entry.is_directory(error) || !is_root(entry.path())) continue;
    if (!root_of(entry.path()) && !is_companion(entry.path())) add(entry.path());
  }
}

Roots Roots::of(const fs::path& folder) {
  Roots roots;
  roots.add(folder);
  return roots;
}

void Roots::add(const fs::path& root) {
  folders_.push_back(root);
  roots_.insert(root);
  real_roots_.insert(without_links(root));
  for (const std::string_view suffix : kSuffixes)
    if (const fs::path folder = with_suffix(root, suffix); is_there(folder))
      companions_.insert(without_links(folder));
}

const fs::path* Roots::root_of(const fs::path& file) const {
  const auto found = nearest_above(roots_, file);
  return found == roots_.end() ? nullptr : &*found;
}

bool Roots::is_companion(const fs::path& file) const {
  return !companions_.empty() && nearest_above(companions_, without_links(file)) != companions_.end();
}

bool Roots::covers(const fs::path& file) const {
  if (root_of(file) || is_companion(file)) return true;
  return !real_roots_.empty() && nearest_above(real_roots_, without_links(file)) != real_roots_.end();
}

}  // namespace zt::data::internal
