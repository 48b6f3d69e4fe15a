// SPDX-License-Identifier: Apache-2.0
// The job of `zoetrope ckpt export`: a run's weights as files that other programs read.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "config/enum_names.hpp"

namespace zt::config {

class Listing;

enum class ExportLayout {
  /// Folders reference_unet, denoising_unet (both load as diffusers' UNet2DConditionModel), motion_adapter
  /// (MotionAdapter), pose_guider, vae, image_encoder.
  Diffusers,
  /// reference_unet.pth, denoising_unet.pth, motion_module.pth, pose_guider.pth as Moore-AnimateAnyone's
  /// animation.yaml names them; vae and image_encoder as folders.
  Moore,
};
template <>
struct EnumNames<ExportLayout> {
  static constexpr std::array<std::string_view, 2> values = {"diffusers", "moore"};
};

struct ExportJob {
  std::string run;     ///< folder of the run
  std::string output;  ///< folder that is made
  ExportLayout layout = ExportLayout::Diffusers;
  std::string checkpoint = "best";  ///< "best", "newest" or a checkpoint's name
  bool use_ema = true;
};

void describe(Listing& listing, ExportJob& job);
Status validate(const ExportJob& job);

}  // namespace zt::config
