// SPDX-License-Identifier: Apache-2.0
// Which file of a folder of weights is which network: Moore-AnimateAnyone's pretrained_weights, diffusers'
// folders, or what `zoetrope ckpt export` wrote. Names looked for, in this order:
//
//   denoising_unet, reference_unet, pose_guider   .pth, .safetensors, .ckpt, .bin, or a diffusers folder
//   motion_module, motion_adapter                 the same; may be absent
//   vae, sd-vae-ft-mse, codec                     folder
//   image_encoder                                 folder
//   stable-diffusion-v1-5, unet                   folder, for the networks' sizes; may be absent
#pragma once

#include <filesystem>
#include <vector>

#include "base/error.hpp"
#include "config/job/model_job.hpp"
#include "config/load.hpp"

namespace zt::config {

/// What the folder holds: keys of ModelJob ("mm_path") with the paths. Errors: NotFound if there is no such
/// folder.
Result<std::vector<KeyValue>> find_weights(const std::filesystem::path& folder);

/// `given` with the paths that the folder holds filled in; a path that `given` names already stays. Errors:
/// as above, and NotFound if what must be there is neither there nor given; names what was looked for.
Result<ModelJob> files_of_folder(const std::filesystem::path& folder, const ModelJob& given);

}  // namespace zt::config
