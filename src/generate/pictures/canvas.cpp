// SPDX-License-Identifier: Apache-2.0
#include "generate/pictures/canvas.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <vector>

#include "image/resize.hpp"
#include "tensor/pictures.hpp"

namespace zt::generate {
namespace {

image::Image fitted(const Canvas& canvas, const image::Image& picture) {
  if (picture.width == canvas.width && picture.height == canvas.height) return picture;
  return image::resize(picture, canvas.width, canvas.height, image::Filter::Lanczos);
}

}  // namespace

Result<Canvas> make_canvas(int64_t width, int64_t height, int64_t block_px, config::Compat compat) {
  const int64_t least = compat == config::Compat::Moore ? block_px : 1;
  if (width < least || height < least)
    return fail(ErrorCode::InvalidArgument,
                fmt::format("a video of {} x {} pixels is too small, the least is {}", width, height, least));
  const auto down = [&](int64_t size) { return static_cast<int>(size / block_px * block_px); };
  if (compat == config::Compat::Moore) return Canvas{down(width), down(height), down(width), down(height)};
  return Canvas{static_cast<int>(width), static_cast<int>(height), down(width + block_px - 1),
                down(height + block_px - 1)};
}

at::Tensor place_photo(const Canvas& canvas, const image::Image& picture) {
  const at::Tensor fitted_CHW = tensor::from_picture(fitted(canvas, picture));
  return at::replication_pad2d(
      fitted_CHW, {0, canvas.padded_width - canvas.width, 0, canvas.padded_height - canvas.height});
}

at::Tensor place_poses(const Canvas& canvas, std::span<const image::Image> pictures) {
  std::vector<image::Image> all;
  for (const image::Image& picture : pictures) all.push_back(fitted(canvas, picture));
  const at::Tensor fitted_CFHW = tensor::from_pictures(all).transpose(0, 1);
  return at::constant_pad_nd(
      fitted_CFHW, {0, canvas.padded_width - canvas.width, 0, canvas.padded_height - canvas.height});
}

image::Image cut_out(const Canvas& canvas, const at::Tensor& picture_CHW, config::PixelRounding rounding) {
  const at::Tensor result_CHW = picture_CHW.narrow(1, 0, canvas.height).narrow(2, 0, canvas.width);
  if (rounding == config::PixelRounding::Nearest) return tensor::to_picture(result_CHW);
  constexpr double kWhite = 255;
  return tensor::to_picture(result_CHW.mul(kWhite).floor_().div_(kWhite));
}

}  // namespace zt::generate
