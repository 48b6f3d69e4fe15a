// SPDX-License-Identifier: Apache-2.0
#include "tensor/pictures.hpp"

#include <ATen/ATen.h>

#include <cstring>
#include <vector>

#include "tensor/require.hpp"

namespace zt::tensor {

at::Tensor from_picture(const image::Image& picture) {
  ZT_REQUIRE(!picture.empty(), "the picture is empty");
  // from_blob wants a mutable pointer; the copy that div makes is the only thing written to.
  auto* bytes = const_cast<uint8_t*>(picture.pixels.data());
  const at::Tensor pixels_HWC =
      at::from_blob(bytes, {picture.height, picture.width, picture.channels}, at::kByte);
  return pixels_HWC.permute({2, 0, 1}).to(at::kFloat).contiguous().div_(255.0F);
}

at::Tensor from_pictures(std::span<const image::Image> pictures) {
  ZT_REQUIRE(!pictures.empty(), "no pictures");
  std::vector<at::Tensor> tensors;
  for (const image::Image& picture : pictures) tensors.push_back(from_picture(picture));
  return at::stack(tensors);
}

at::Tensor clip_pixels(const image::Image& picture, const image::ClipInputOptions& options) {
  const std::vector<float> values = image::clip_input(picture, options);
  at::Tensor pixels = at::empty({1, 3, options.size, options.size}, at::kFloat);
  std::memcpy(pixels.mutable_data_ptr<float>(), values.data(), values.size() * sizeof(float));
  return pixels;
}

image::Image to_picture(const at::Tensor& picture_CHW) {
  ZT_REQUIRE(picture_CHW.dim() == 3 && (picture_CHW.size(0) == 1 || picture_CHW.size(0) == 3),
             "wanted (1 or 3, H, W), got ", picture_CHW);
  const at::Tensor pixels_HWC = picture_CHW.detach()
                                    .to(at::kCPU, at::kFloat)
                                    .clamp(0, 1)
                                    .mul_(255.0F)
                                    .round_()
                                    .to(at::kByte)
                                    .permute({1, 2, 0})
                                    .contiguous();
  image::Image picture(static_cast<int>(pixels_HWC.size(1)), static_cast<int>(pixels_HWC.size(0)),
                       static_cast<int>(pixels_HWC.size(2)));
  std::memcpy(picture.pixels.data(), pixels_HWC.const_data_ptr<uint8_t>(), picture.pixels.size());
  return picture;
}

}  // namespace zt::tensor
