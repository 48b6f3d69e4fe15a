// SPDX-License-Identifier: Apache-2.0
// What finds people in the pictures of one clip, in their order. BlazePose
// (data/pose/blazepose/blazepose.hpp) implements it; so can any other network.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "data/keypoints/keypoints.hpp"
#include "image/image.hpp"

namespace zt::data {

/// Somebody in one picture. Equal track numbers in different pictures of a shot mean the same person.
struct TrackedPerson {
  int64_t track = 0;
  Person person;
};

/// Serves one clip. Threads: one caller at a time; any number of estimators in parallel.
class FrameEstimator {
 public:
  virtual ~FrameEstimator() = default;
  /// Everybody in the next picture of the clip, all key-points with their confidence. Requires: RGB. Errors:
  /// Internal if the network's runtime fails.
  virtual Result<std::vector<TrackedPerson>> next(const image::Image& picture) = 0;
  /// The next picture begins another shot: nobody is where they were.
  virtual void begin_shot() {}
  /// For KeypointClip::source.
  virtual std::string name() const = 0;
};

/// Makes an estimator that uses so many threads inside. Called from any thread.
using FrameEstimatorFactory = std::function<Result<std::unique_ptr<FrameEstimator>>(int num_threads)>;

}  // namespace zt::data
