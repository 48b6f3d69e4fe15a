// SPDX-License-Identifier: Apache-2.0
// The crop and resize of training pictures with torchvision's draws.
#include <ATen/ATen.h>

#include <random>

#include "checks.hpp"
#include "data/sample/crop.hpp"
#include "image/resize.hpp"
#include "pictures.hpp"
#include "tensor/pictures.hpp"

namespace zt::parity {
namespace {

constexpr const char* kTransformsFile = "m_transforms";
/// RandomResizedCrop's ranges in the reference's stage 1, and with scale 1.
constexpr data::CropRule kStage1{0.9, 1.0, 0.9, 1.0}, kScale1{1.0, 1.0, 0.9, 1.0};

/// torch.manual_seed(seed), then empty(1).uniform_(a, b) and randint(0, n, (1,)) on the CPU.
data::PixelCrop crop_of(const image::Image& picture, const data::CropRule& rule, int64_t seed) {
  std::mt19937 generator(static_cast<uint32_t>(seed));
  const data::CropDraws draws{
      [&](double low, double high) {
        const auto bits = static_cast<float>(generator() & 0xFFFFFF);
        const auto from = static_cast<float>(low), to = static_cast<float>(high);
        return static_cast<double>(bits * 0x1.0p-24F * (to - from) + from);
      },
      [&](int64_t bound) { return static_cast<int64_t>(generator() % static_cast<uint64_t>(bound)); }};
  return data::random_resized_crop(picture.width, picture.height, rule, draws);
}

/// The reference hands the size over as (width, height) where (height, width) is wanted: the result is that
/// large.
at::Tensor resized(const image::Image& picture, const data::PixelCrop& crop, const at::Tensor& like_CHW) {
  const image::Image part = image::crop(picture, static_cast<int>(crop.left), static_cast<int>(crop.top),
                                        static_cast<int>(crop.width), static_cast<int>(crop.height));
  return tensor::from_picture(image::resize(part, static_cast<int>(like_CHW.size(2)),
                                            static_cast<int>(like_CHW.size(1)), image::Filter::Bilinear));
}

void compare_picture(Check& check, const std::string& name, const at::Tensor& found, const at::Tensor& wanted,
                     double unit) {
  check.close(name, found, wanted, unit * 1.001);
  const double equal = (found - wanted).abs().lt(unit / 2).to(at::kDouble).mean().item<double>();
  check.within(name + ", share that differs", 1 - equal, 1e-3);
}

}  // namespace

void check_transforms(const FixtureFolder& folder, Report& report) {
  if (!folder.has(kTransformsFile)) return report.add_absent("crops");
  const int64_t seed = folder.manifest().at("config").at("seed");
  const image::Image picture = picture_of(folder.get(kTransformsFile, "inp_u8"));
  const image::Image pose = picture_of(folder.get(kTransformsFile, "inp_pose_u8"));
  Check crops("crops"), pictures("cropped pictures");
  const auto same = [](const data::PixelCrop& found, const at::Tensor& tlhw) {
    return at::tensor({found.top, found.left, found.height, found.width}).equal(tlhw);
  };
  const at::Tensor wanted = folder.get(kTransformsFile, "crop_tlhw_seedS100plus_i");
  for (int64_t i = 0; i < wanted.size(0); ++i) {
    crops.require("seed S + 100 + " + std::to_string(i),
                  same(crop_of(picture, kStage1, seed + 100 + i), wanted[i]));
  }
  const data::PixelCrop whole = crop_of(picture, kScale1, seed + 77);
  crops.require("scale 1", same(whole, folder.get(kTransformsFile, "crop_tlhw_scale1")));
  report.add(crops);

  const auto compare = [&](const std::string& name, const image::Image& from, const data::CropRule& rule,
                           bool is_signed) {
    const at::Tensor stored = folder.get(kTransformsFile, name);
    const at::Tensor found = resized(from, crop_of(from, rule, seed + 77), stored);
    compare_picture(pictures, name, is_signed ? found * 2 - 1 : found, stored,
                    is_signed ? 2.0 / 255 : 1.0 / 255);
  };
  compare("img", picture, kStage1, /*is_signed=*/true);
  compare("img_scale1", picture, kScale1, /*is_signed=*/true);
  compare("pose", pose, kStage1, /*is_signed=*/false);
  report.add(pictures);
}

}  // namespace zt::parity
