// SPDX-License-Identifier: Apache-2.0
#include "data/pose/blazepose.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.hpp"
#include "base/hash.hpp"
#include "base/process.hpp"
#include "data/pose/litert.hpp"
#include "data/pose/pose_detector.hpp"
#include "data/pose/pose_landmarks.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;

// MediaPipe's thresholds: pose_detection_cpu.pbtxt and pose_landmark_by_roi_cpu.pbtxt.
constexpr double kMinDetectionScore = 0.5;
constexpr float kMinPersonFlag = 0.5F;
// Ours: newcomers must be clearer than those who are followed already.
constexpr float kMinNewcomerFlag = 0.8F;
// Mean difference of two neighbours' thumbnails, 0..1. Cuts of real films have 0.07 and more, motion within a
// shot stays below 0.03; a false alarm only costs a search.
constexpr int kThumbnailSize = 16;
constexpr double kCutDifference = 0.06;
// Outputs of both networks begin with these.
constexpr size_t kValues = 0;
constexpr size_t kFlags = 1;

std::optional<BlazePoseFiles> look_in(const fs::path& folder) {
  std::error_code ignored;
  BlazePoseFiles files{folder / "libLiteRt.so", folder / "pose_detection.tflite", {}, {}};
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

Status verify(const fs::path& file, std::span<const std::string_view> known) {
  ZT_TRY_ASSIGN(const auto bytes, files::read(file));
  if (std::find(known.begin(), known.end(), hash::sha256_hex(bytes)) == known.end()) {
    return fail(ErrorCode::Corrupt,
                fmt::format("{} is damaged or not BlazePose's network of that name: remove it and run "
                            "scripts/setup",
                            file.string()));
  }
  return {};
}

// Landmarks of the person in the region, or nothing if there is nobody.
Result<std::optional<Landmarks>> find_landmarks(TfliteModel& model, const image::Image& picture,
                                                const Region& region, float min_flag) {
  const auto input = sample_region(picture, region, kLandmarkInputSize, Border::Repeat, 0, 1);
  ZT_TRY_ASSIGN(const auto outputs, model.run(input));
  const auto landmarks = decode_landmarks(outputs[kValues], region);
  if (!(outputs[kFlags][0] >= min_flag) || !has_torso(landmarks)) return std::nullopt;
  return landmarks;
}

}  // namespace

Result<BlazePoseFiles> find_blazepose(const fs::path& folder) {
  std::vector<fs::path> candidates;
  if (!folder.empty()) {
    candidates.push_back(folder);
  } else {
    if (const auto program = process::program_folder()) {
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
          folder.empty() ? "any .deps/pose from the program's folder upwards" : folder.string()));
}

BlazePose::BlazePose(std::unique_ptr<TfliteModel> detector, std::unique_ptr<TfliteModel> landmarks,
                     std::string name, const TrackingOptions& options)
    : detector_(std::move(detector)),
      landmarks_(std::move(landmarks)),
      name_(std::move(name)),
      tracks_(options) {}

bool BlazePose::is_cut(const image::Image& picture) {
  const auto before =
      std::exchange(thumbnail_, sample_region(picture, whole_picture(picture.width, picture.height),
                                              kThumbnailSize, Border::Black, 0, 1));
  double sum = 0;
  for (size_t i = 0; i < before.size(); ++i) sum += std::abs(static_cast<double>(before[i]) - thumbnail_[i]);
  return !before.empty() && sum > kCutDifference * static_cast<double>(before.size());
}

Result<std::vector<TrackedPerson>> BlazePose::next(const image::Image& picture) {
  std::vector<TrackedPerson> people;
  tracks_.begin_frame();
  if (is_cut(picture)) tracks_.lose_all();
  for (const auto& track : std::vector(tracks_.active())) {
    ZT_TRY_ASSIGN(const auto landmarks, find_landmarks(*landmarks_, picture, track.region, kMinPersonFlag));
    if (landmarks) {
      tracks_.move(track.id, landmark_region(*landmarks));
      people.push_back({track.id, to_person(*landmarks, picture.width, picture.height)});
    } else {
      tracks_.lose(track.id);
    }
  }
  for (const int64_t id : tracks_.drop_doubles()) {
    std::erase_if(people, [&](const TrackedPerson& person) { return person.track == id; });
  }
  if (tracks_.should_detect()) ZT_TRY(add_newcomers(picture, people));
  return people;
}

Status BlazePose::add_newcomers(const image::Image& picture, std::vector<TrackedPerson>& people) {
  tracks_.note_detection();
  ZT_TRY_ASSIGN(const size_t found, add_from(picture, whole_picture(picture.width, picture.height), people));
  if (!tracks_.should_search_parts(found)) return {};
  tracks_.note_part_search();
  for (const Region& part : picture_parts(picture.width, picture.height)) {
    if (tracks_.is_full()) break;
    ZT_TRY(add_from(picture, part, people));
  }
  return {};
}

// Looks for people in a part of the picture and follows those that are new; returns how many the detector
// saw.
Result<size_t> BlazePose::add_from(const image::Image& picture, const Region& part,
                                   std::vector<TrackedPerson>& people) {
  ZT_TRY_ASSIGN(const auto outputs,
                detector_->run(sample_region(picture, part, kDetectorSize, Border::Black, -1, 1)));
  const auto hits = decode_detections(outputs[kValues], outputs[kFlags], kMinDetectionScore);
  for (const Detection& hit : hits) {
    if (tracks_.is_full()) break;
    const Region region = person_region(hit, part);
    if (tracks_.is_followed(region)) continue;
    ZT_TRY_ASSIGN(const auto landmarks, find_landmarks(*landmarks_, picture, region, kMinNewcomerFlag));
    if (!landmarks || tracks_.is_followed(landmark_region(*landmarks))) continue;
    const int64_t id = tracks_.add(landmark_region(*landmarks));
    people.push_back({id, to_person(*landmarks, picture.width, picture.height)});
  }
  return hits.size();
}

Result<FrameEstimatorFactory> blazepose_factory(const BlazePoseFiles& files, const TrackingOptions& options) {
  ZT_TRY(verify(files.detector, kDetectors));
  ZT_TRY(verify(files.landmarks, kLandmarkNetworks));
  ZT_TRY_ASSIGN(const auto runtime, LiteRt::open(files.library));
  return [files, options, runtime](int num_threads) -> Result<std::unique_ptr<FrameEstimator>> {
    ZT_TRY_ASSIGN(auto detector, runtime->load(files.detector, num_threads));
    ZT_TRY_ASSIGN(auto landmarks, runtime->load(files.landmarks, num_threads));
    return std::make_unique<BlazePose>(std::move(detector), std::move(landmarks), "blazepose-" + files.size,
                                       options);
  };
}

}  // namespace zt::data
