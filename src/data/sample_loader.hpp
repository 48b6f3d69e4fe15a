// SPDX-License-Identifier: Apache-2.0
// From plans to pictures: decodes, crops and resizes on background threads, a bounded number of samples
// ahead, and hands them out in order. The result does not depend on the number of threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "data/draw_pose.hpp"
#include "data/sample_plan.hpp"
#include "image/image.hpp"

namespace zt::data {

/// Which parts of a sample are wanted: a trainer with cached latents asks for poses only.
struct SampleParts {
  bool reference = true;        ///< cropped reference picture
  bool reference_whole = true;  ///< uncropped reference picture (input of the CLIP encoder)
  bool targets = true;
  bool poses = true;
  bool reference_pose = false;
  bool masks = false;
  bool operator==(const SampleParts&) const = default;
};

enum class PoseSource {
  Keypoints,
  Video,
  Auto
};  ///< Auto: key-points if the clip has them, else its pose video

struct LoadOptions {
  int width = 64;
  int height = 64;
  PoseSource pose = PoseSource::Auto;
  DrawOptions draw;
  SampleParts parts;
};

/// One training sample, RGB bytes. Parts that were not asked for are empty.
struct Sample {
  SamplePlan plan;
  image::Image reference;
  image::Image reference_whole;
  std::vector<image::Image> targets;
  std::vector<image::Image> poses;
  image::Image reference_pose;
  std::vector<image::Image> masks;  ///< one channel, 255 = foreground
};

/// Loads one planned sample in the calling thread. Errors: those of the files, with clip id and path.
Result<Sample> load_sample(const ClipIndex& index, const SamplePlan& plan, const LoadOptions& options);

struct LoaderOptions {
  LoadOptions load;
  size_t num_threads = 2;
  size_t prefetch = 8;  ///< samples decoded ahead: bounds the memory
  uint64_t max_decode_bytes = uint64_t{1}
                              << 30;           ///< decoded pictures that all threads may hold while they work
  std::chrono::milliseconds deadline{60'000};  ///< longest wait for one sample
  bool strict = false;                         ///< a broken clip is an error instead of being replaced
  uint32_t max_attempts = 8;                   ///< replacements tried for one sample before it is an error
};

struct LoaderStats {
  uint64_t samples = 0;
  uint64_t replaced = 0;               ///< samples whose clip was broken
  std::vector<std::string> broken;     ///< "clip id: why", each clip once, in order of id
  std::chrono::nanoseconds waited{0};  ///< time next() was blocked
};

/// Threads: next() from one thread.
class SampleLoader {
 public:
  /// Starts at global sample number `first` and steps by `stride` (rank r of n: first = r, stride = n).
  static Result<std::unique_ptr<SampleLoader>> open(ClipIndex index, PlanOptions plan, LoaderOptions options,
                                                    uint64_t first = 0, uint64_t stride = 1);
  ~SampleLoader();
  /// The next sample in order. Errors: Timeout after the deadline; a clip's own error in strict mode.
  Result<Sample> next();
  /// Global number of the sample that next() gives: the cursor to save.
  uint64_t cursor() const;
  LoaderStats stats() const;

 private:
  struct State;
  explicit SampleLoader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace zt::data
