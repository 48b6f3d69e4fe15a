// SPDX-License-Identifier: Apache-2.0
// BlazePose GHUM through LiteRT: a detector for people that are new in the picture, a landmark network for
// those that are followed, and MediaPipe's networks for their hands and faces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "data/pose/blazepose/blazepose_files.hpp"
#include "data/pose/blazepose/hands_and_face.hpp"
#include "data/pose/blazepose/pose_landmarks.hpp"
#include "data/pose/blazepose/region_tracks.hpp"
#include "data/pose/blazepose/tflite_model.hpp"
#include "data/pose/frame_estimator.hpp"

namespace zt::data {

struct BlazePoseOptions {
  TrackingOptions tracking;
  bool hands = true;  ///< look for hands, if the network is there
  bool face = true;   ///< look for the face, if the network is there
};

struct BlazePoseNetworks {
  std::unique_ptr<TfliteModel> detector;
  std::unique_ptr<TfliteModel> landmarks;
  std::unique_ptr<TfliteModel> hand;  ///< may be null
  std::unique_ptr<TfliteModel> face;  ///< may be null
};

/// Cost per picture on one 2020s core: about 20 ms ("full") per person that is followed, 17 ms for hands and
/// face where they are seen, and 15 ms where the detector runs.
class BlazePose final : public FrameEstimator {
 public:
  BlazePose(BlazePoseNetworks networks, std::string name, const TrackingOptions& options);
  Result<std::vector<TrackedPerson>> next(const image::Image& picture) override;
  void begin_shot() override;
  std::string name() const override { return name_; }

 private:
  struct Body {
    int64_t track = 0;
    Landmarks landmarks;
  };
  bool is_cut(const image::Image& picture);
  Result<std::vector<Body>> follow(const image::Image& picture);
  Status add_newcomers(const image::Image& picture, std::vector<Body>& bodies);
  Result<size_t> add_from(const image::Image& picture, const Region& part, std::vector<Body>& bodies);

  std::unique_ptr<TfliteModel> detector_;
  std::unique_ptr<TfliteModel> landmarks_;
  HandsAndFace hands_and_face_;
  std::string name_;
  RegionTracks tracks_;
  std::vector<float> thumbnail_;  // of the picture before
};

/// Checks the networks and opens the library, once; every call of the result loads the networks anew (50 ms).
/// Errors: those of verify() and LiteRt::open(). The factory's are LiteRt::load()'s.
Result<FrameEstimatorFactory> blazepose_factory(const BlazePoseFiles& files, const BlazePoseOptions& options);

}  // namespace zt::data
