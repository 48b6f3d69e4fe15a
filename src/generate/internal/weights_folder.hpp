// SPDX-License-Identifier: Apache-2.0
// Which file of a folder of weights is which network.
#pragma once

#include <filesystem>

#include "base/error.hpp"
#include "config/job/model_job.hpp"

namespace zt::generate::internal {

/// `given` with the paths that the folder holds filled in; a path that `given` names already stays. Names
/// looked for:
///   denoising_unet, reference_unet, pose_guider, motion_module   .pth, .safetensors, .ckpt, .bin, or a
///   diffusers folder vae, sd-vae-ft-mse, codec       folder image_encoder                   folder
///   stable-diffusion-v1-5, unet     folder: sizes of the networks
/// Errors: NotFound if there is no such folder, or a network or folder of the first three lines is neither
/// there nor given (motion_module may be absent); names what was looked for.
Result<config::ModelJob> files_of_folder(const std::filesystem::path& folder, const config::ModelJob& given);

}  // namespace zt::generate::internal
