// SPDX-License-Identifier: Apache-2.0
// BlazePose GHUM through LiteRT: a detector for people that are new in the picture, a landmark network for
// those that are followed. Networks (Apache-2.0) and library come with scripts/setup, out of the PyPI
// packages mediapipe and ai-edge-litert.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "data/pose/frame_estimator.hpp"
#include "data/pose/region_tracks.hpp"
#include "data/pose/tflite_model.hpp"

namespace zt::data {

/// The files of one folder.
struct BlazePoseFiles {
  std::filesystem::path library;    ///< libLiteRt.so
  std::filesystem::path detector;   ///< pose_detection.tflite
  std::filesystem::path landmarks;  ///< pose_landmark_heavy.tflite, else _full, else _lite
  std::string size;                 ///< "heavy", "full" or "lite"
};

/// Looks in `folder`; if that is empty, in .deps/pose of the running program's folder and of all folders
/// above it, and of the working folder. Errors: NotFound, with the command that gets the files.
Result<BlazePoseFiles> find_blazepose(const std::filesystem::path& folder = {});

/// Cost per picture on one 2020s core: about 20 ms ("full") per person that is followed,
/// and 15 ms where the detector runs.
class BlazePose final : public FrameEstimator {
 public:
  /// Requires: BlazePose's networks.
  BlazePose(std::unique_ptr<TfliteModel> detector, std::unique_ptr<TfliteModel> landmarks, std::string name,
            const TrackingOptions& options);
  Result<std::vector<TrackedPerson>> next(const image::Image& picture) override;
  std::string name() const override { return name_; }

 private:
  bool is_cut(const image::Image& picture);
  Status add_newcomers(const image::Image& picture, std::vector<TrackedPerson>& people);
  Result<size_t> add_from(const image::Image& picture, const Region& part,
                          std::vector<TrackedPerson>& people);
  std::unique_ptr<TfliteModel> detector_;
  std::unique_ptr<TfliteModel> landmarks_;
  std::string name_;
  RegionTracks tracks_;
  std::vector<float> thumbnail_;  // of the picture before
};

/// Checks the networks' digests and opens the library, once; every call of the result loads the networks anew
/// (50 ms). Errors: Corrupt for a file that is not BlazePose's; those of LiteRt::open(). The factory's are
/// LiteRt::load()'s.
Result<FrameEstimatorFactory> blazepose_factory(const BlazePoseFiles& files, const TrackingOptions& options);

}  // namespace zt::data
