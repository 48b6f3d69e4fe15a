// SPDX-License-Identifier: Apache-2.0
// See pixels.hpp.
#include "prepare/pixels.hpp"

#include <ATen/ATen.h>

#include <vector>

#include "tensor/pictures.hpp"
#include "tensor/require.hpp"

namespace zt::prepare {
namespace {

constexpr int64_t kChannels = 3;

/// The picture's own bytes as (H, W, C); the picture must outlive the view.
at::Tensor view_HWC(const image::Image& picture) {
  ZT_REQUIRE(picture.channels == kChannels && !picture.empty(), "wanted an RGB picture, got ", picture.width,
             " x ", picture.height, " with ", picture.channels, " channels");
  // from_blob wants a mutable pointer; nothing writes through the view.
  return at::from_blob(const_cast<uint8_t*>(picture.pixels.data()),
                       {picture.height, picture.width, kChannels}, at::kByte);
}

}  // namespace

at::Tensor signed_pixels(const image::Image& picture) {
  // The order of torchvision's ToTensor and Normalize, so that the numbers are the reference's.
  return tensor::from_picture(picture).sub_(0.5).div_(0.5);
}

at::Tensor byte_frames(std::span<const image::Image> pictures) {
  ZT_REQUIRE(!pictures.empty(), "wanted at least one picture");
  std::vector<at::Tensor> frames_CHW;
  for (const image::Image& picture : pictures) frames_CHW.push_back(view_HWC(picture).permute({2, 0, 1}));
  return at::stack(frames_CHW, /*dim=*/1);
}

}  // namespace zt::prepare
