// SPDX-License-Identifier: Apache-2.0
#include "generate/internal/pose_features.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include "tensor/require.hpp"

namespace zt::generate::internal {

Result<at::Tensor> PoseFeatures::of(std::span<const int64_t> frames) {
  std::vector<at::Tensor> features;
  std::vector<size_t> missing;
  for (size_t i = 0; i < frames.size(); ++i) {
    features.push_back(kept_[static_cast<size_t>(frames[i])]);
    if (!features.back().defined()) missing.push_back(i);
  }
  const auto chunk = static_cast<size_t>(options_.chunk_frames);
  for (size_t first = 0; first < missing.size(); first += chunk)
    ZT_TRY(compute(frames, std::span(missing).subspan(first, std::min(chunk, missing.size() - first)),
                   features));
  return at::stack(features, 1).unsqueeze(0);
}

Status PoseFeatures::compute(std::span<const int64_t> frames, std::span<const size_t> places,
                             std::vector<at::Tensor>& features) {
  std::vector<int64_t> wanted;
  for (const size_t place : places) wanted.push_back(frames[place]);
  ZT_TRY_ASSIGN(const at::Tensor pose, poses_(wanted));
  ZT_REQUIRE(pose.dim() == 5 && pose.size(0) == 1 && pose.size(2) == static_cast<int64_t>(wanted.size()),
             "wanted poses (1, 3, ", wanted.size(), ", h, w), got ", pose);
  const at::Tensor computed = [&] {
    const tensor::AutocastGuard own(
        options_.device.type(),
        options_.autocast.value_or(tensor::AutocastState::current(options_.device.type())));
    return guider_.forward(pose.to(options_.device));
  }();
  for (size_t i = 0; i < places.size(); ++i) {
    const at::Tensor feature = computed.select(2, static_cast<int64_t>(i)).squeeze(0);
    features[places[i]] = feature;
    const auto bytes = static_cast<int64_t>(feature.numel() * feature.element_size());
    if (kept_bytes_ + bytes > options_.limit_bytes) continue;
    // A copy of its own: the view would keep the whole chunk alive.
    kept_[static_cast<size_t>(wanted[i])] = feature.clone(at::MemoryFormat::Contiguous);
    kept_bytes_ += bytes;
  }
  return {};
}

}  // namespace zt::generate::internal
