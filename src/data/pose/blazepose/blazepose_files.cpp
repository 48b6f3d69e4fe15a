// SPDX-License-Identifier: Apache-2.0
#include "data/pose/blazepose/blazepose_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "base/process/process.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;

std::optional<BlazePoseFiles> look_in(const fs::path& folder) {
  std::error_code ignored;
  const auto if_there = [&](const fs::path& file) { return fs::exists(file, ignored) ? file : fs::path(); };
  BlazePoseFiles files;
  files.library = folder / "libLiteRt.so";
  files.detector = folder / "pose_detection.tflite";
  files.hand = if_there(folder / "hand_landmark_full.tflite");
  files.face = if_there(folder / "face_landmark.tflite");
  if (!fs::exists(files.library, ignored) || !fs::exists(files.detector, ignored)) return std::nullopt;
  for (const char* size : {"heavy", "full", "lite"}) {
    files.landmarks = folder / fmt::format("pose_landmark_{}.tflite", size);
    files.size = size;
    if (fs::exists(files.landmarks, ignored)) return files;
  }
  return std::nullopt;
}

// SHA-256 of the networks as the packages ship them. LiteRT trusts the offsets inside a file and crashes on a
// damaged one, so no other file gets there.
constexpr std::array<std::string_view, 2> kDetectors = {
    "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",   // PyPI mediapipe
    "a63c614bef30d35947f13be361820b1e4e3bec9cfeebf4d11216a18373108e85"};  // npm @mediapipe/pose
constexpr std::array<std::string_view, 3> kLandmarkNetworks = {
    "59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",   // heavy
    "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",   // full
    "f17bfbecadb61c3be1baa8b8d851cc6619c870a87167b32848ad20db306b9d61"};  // lite

constexpr std::array<std::string_view, 1> kHandNetworks = {
    "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3"};
constexpr std::array<std::string_view, 1> kFaceNetworks = {
    "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814"};

Status verify_one(const fs::path& file, std::span<const std::string_view> known) {
  ZT_TRY_ASSIGN(const auto bytes, files::read(file));
  if (std::find(known.begin(), known.end(), hash::sha256_hex(bytes)) == known.end()) {
    return fail(ErrorCode::Corrupt,
                fmt::format("{} is damaged or not BlazePose's network of that name: remove it and run "
                            "scripts/setup",
                            file.string()));
  }
  return {};
}

}  // namespace

Result<BlazePoseFiles> find_blazepose(const fs::path& folder) {
  std::vector<fs::path> candidates;
  if (!folder.empty()) {
    candidates.push_back(folder);
  } else {
    if (const auto program = process::program_folder()) {
      candidates.push_back(program->parent_path() / "lib/zoetrope/pose");
      for (fs::path at = *program; at != at.root_path(); at = at.parent_path())
        candidates.push_back(at / ".deps/pose");
    }
    candidates.emplace_back(".deps/pose");
  }
  for (const fs::path& candidate : candidates) {
    if (auto files = look_in(candidate)) return *files;
  }
  return fail(
      ErrorCode::NotFound,
      fmt::format(
          "the pose networks are not in {}: run scripts/setup, which fetches them (57 MB, once), or name "
          "their folder as models_dir",
          folder.empty() ? "../lib/zoetrope/pose, nor in any .deps/pose from the program's folder upwards"
                         : folder.string()));
}

Status verify(const BlazePoseFiles& files) {
  ZT_TRY(verify_one(files.detector, kDetectors));
  ZT_TRY(verify_one(files.landmarks, kLandmarkNetworks));
  if (!files.hand.empty()) ZT_TRY(verify_one(files.hand, kHandNetworks));
  if (!files.face.empty()) ZT_TRY(verify_one(files.face, kFaceNetworks));
  return {};
}

}  // namespace zt::data
