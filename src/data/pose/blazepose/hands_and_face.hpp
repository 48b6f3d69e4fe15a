// SPDX-License-Identifier: Apache-2.0
// Finds the hands and the face of people whose bodies are known, picture by picture.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "data/keypoints/keypoints.hpp"
#include "data/pose/blazepose/pose_details.hpp"
#include "data/pose/blazepose/pose_landmarks.hpp"
#include "data/pose/blazepose/tflite_model.hpp"
#include "image/image.hpp"

namespace zt::data {

/// Serves one clip. Cost per person and picture on one core: 8 ms for each hand, 1 ms for the face.
class HandsAndFace {
 public:
  /// A null network means: not looked for. Requires: MediaPipe's hand and face landmark networks.
  HandsAndFace(std::unique_ptr<TfliteModel> hand, std::unique_ptr<TfliteModel> face);

  /// Fills hands and face of the person, whose body was found in this picture; points that are not seen are
  /// absent. A hand is looked for where it was last if that is still at the wrist, else where the body's
  /// landmarks put it. Errors: those of TfliteModel::run().
  Status add(const image::Image& picture, int64_t track, const Landmarks& body, Person& person);

 private:
  using Sides = std::array<std::optional<Region>, 2>;
  Result<std::vector<Keypoint>> find_hand(const image::Image& picture, const Landmarks& body, Side side,
                                          std::optional<Region>& last);
  Result<std::vector<Keypoint>> find_face(const image::Image& picture, const Landmarks& body);

  std::unique_ptr<TfliteModel> hand_;
  std::unique_ptr<TfliteModel> face_;
  std::map<int64_t, Sides> last_hands_;  // by track: where to look next
};

}  // namespace zt::data
