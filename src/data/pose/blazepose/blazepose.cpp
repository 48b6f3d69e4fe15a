// SPDX-License-Identifier: Apache-2.0
#include "data/pose/blazepose/blazepose.hpp"

#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "data/pose/blazepose/litert.hpp"
#include "data/pose/blazepose/pose_detector.hpp"
#include "data/pose/blazepose/pose_landmarks.hpp"

namespace zt::data {
namespace {

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

BlazePose::BlazePose(BlazePoseNetworks networks, std::string name, const TrackingOptions& options)
    : detector_(std::move(networks.detector)),
      landmarks_(std::move(networks.landmarks)),
      hands_and_face_(std::move(networks.hand), std::move(networks.face)),
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

void BlazePose::begin_shot() {
  tracks_.lose_all();
  thumbnail_.clear();
}

Result<std::vector<TrackedPerson>> BlazePose::next(const image::Image& picture) {
  tracks_.begin_frame();
  if (is_cut(picture)) tracks_.lose_all();
  ZT_TRY_ASSIGN(auto bodies, follow(picture));
  if (tracks_.should_detect()) ZT_TRY(add_newcomers(picture, bodies));

  std::vector<TrackedPerson> people;
  for (const Body& body : bodies) {
    people.push_back({body.track, to_person(body.landmarks, picture.width, picture.height)});
    ZT_TRY(hands_and_face_.add(picture, body.track, body.landmarks, people.back().person));
  }
  return people;
}

// Those who are where they were expected.
Result<std::vector<BlazePose::Body>> BlazePose::follow(const image::Image& picture) {
  std::vector<Body> bodies;
  for (const auto& track : std::vector(tracks_.active())) {
    ZT_TRY_ASSIGN(const auto landmarks, find_landmarks(*landmarks_, picture, track.region, kMinPersonFlag));
    if (landmarks) {
      tracks_.move(track.id, landmark_region(*landmarks));
      bodies.push_back({track.id, *landmarks});
    } else {
      tracks_.lose(track.id);
    }
  }
  for (const int64_t id : tracks_.drop_doubles()) {
    std::erase_if(bodies, [&](const Body& body) { return body.track == id; });
  }
  return bodies;
}

Status BlazePose::add_newcomers(const image::Image& picture, std::vector<Body>& bodies) {
  tracks_.note_detection();
  ZT_TRY_ASSIGN(const size_t found, add_from(picture, whole_picture(picture.width, picture.height), bodies));
  if (!tracks_.should_search_parts(found)) return {};
  tracks_.note_part_search();
  for (const Region& part : picture_parts(picture.width, picture.height)) {
    if (tracks_.is_full()) break;
    ZT_TRY(add_from(picture, part, bodies));
  }
  return {};
}

// Looks for people in a part of the picture and follows those that are new; returns how many the detector
// saw.
Result<size_t> BlazePose::add_from(const image::Image& picture, const Region& part,
                                   std::vector<Body>& bodies) {
  ZT_TRY_ASSIGN(const auto outputs,
                detector_->run(sample_region(picture, part, kDetectorSize, Border::Black, -1, 1)));
  const auto hits = decode_detections(outputs[kValues], outputs[kFlags], kMinDetectionScore);
  for (const Detection& hit : hits) {
    if (tracks_.is_full()) break;
    const Region region = person_region(hit, part);
    if (tracks_.is_followed(region)) continue;
    ZT_TRY_ASSIGN(const auto landmarks, find_landmarks(*landmarks_, picture, region, kMinNewcomerFlag));
    if (!landmarks || tracks_.is_followed(landmark_region(*landmarks))) continue;
    bodies.push_back({tracks_.add(landmark_region(*landmarks)), *landmarks});
  }
  return hits.size();
}

Result<FrameEstimatorFactory> blazepose_factory(const BlazePoseFiles& files,
                                                const BlazePoseOptions& options) {
  ZT_TRY(verify(files));
  ZT_TRY_ASSIGN(const auto runtime, LiteRt::open(files.library));
  return [files, options, runtime](int num_threads) -> Result<std::unique_ptr<FrameEstimator>> {
    BlazePoseNetworks networks;
    ZT_TRY_ASSIGN(networks.detector, runtime->load(files.detector, num_threads));
    ZT_TRY_ASSIGN(networks.landmarks, runtime->load(files.landmarks, num_threads));
    if (options.hands && !files.hand.empty()) {
      ZT_TRY_ASSIGN(networks.hand, runtime->load(files.hand, num_threads));
    }
    if (options.face && !files.face.empty()) {
      ZT_TRY_ASSIGN(networks.face, runtime->load(files.face, num_threads));
    }
    return std::make_unique<BlazePose>(std::move(networks), "blazepose-" + files.size, options.tracking);
  };
}

}  // namespace zt::data
