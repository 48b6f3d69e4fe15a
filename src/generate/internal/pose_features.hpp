// SPDX-License-Identifier: Apache-2.0
// The pose guider's features by frame, computed in chunks when first asked for and kept as far as memory
// allows.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/error.hpp"
#include "generate/pipeline/pipeline.hpp"

namespace zt::generate::internal {

class PoseFeatures {
 public:
  struct Options {
    int64_t num_frames = 0;
    int64_t chunk_frames = 8;  ///< frames per call of the guider
    int64_t limit_bytes = 0;   ///< of what is kept; the first frames asked for stay
    at::Device device = at::kCPU;
    std::optional<tensor::AutocastState> autocast = {};  ///< of the guider; none: that of the caller's scope
  };
  /// Guider and poses must outlive the object.
  PoseFeatures(const models::PoseGuider& guider, const PoseFrames& poses, const Options& options)
      : guider_(guider), poses_(poses), options_(options), kept_(static_cast<size_t>(options.num_frames)) {}

  /// (1, E, n, H, W) for these frames, in their order. Errors: those of the poses.
  Result<at::Tensor> of(std::span<const int64_t> frames);

 private:
  /// Fills the places of `features` whose frames are not kept.
  Status compute(std::span<const int64_t> frames, std::span<const size_t> places,
                 std::vector<at::Tensor>& features);
  const models::PoseGuider& guider_;
  const PoseFrames& poses_;
  Options options_;
  std::vector<at::Tensor> kept_;  ///< by frame: (E, H, W), or undefined
  int64_t kept_bytes_ = 0;
};

}  // namespace zt::generate::internal
