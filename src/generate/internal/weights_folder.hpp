// SPDX-License-Identifier: Apache-2.0
// Which file of a folder of weights is which network.
#pragma once

#include <filesystem>

#include "base/error.hpp"
#include "config/job/model_job.hpp"

namespace zt::generate::internal {

/// `given` with the paths that the folder holds filled in; a path that `given` names already stays. Names
/// looked for:
///
///   denoising_unet, reference_unet, pose_guider   .pth, .safetensors, .ckpt, .bin, or a diffusers folder
///   motion_module, motion_adapter                 the same; may be absent
///   vae, sd-vae-ft-mse, codec                     folder
///   image_encoder                                 folder
///   stable-diffusion-v1-5, unet                   folder, for the networks' sizes; may be absent
///
/// Errors: NotFound if there is no such folder, or if what must be there is neither there nor given; names
/// what was looked for.
Result<config::ModelJob> files_of_folder(const std::filesystem::path& folder, const config::ModelJob& given);

}  // namespace zt::generate::internal
