// SPDX-License-Identifier: Apache-2.0
#include "generate/reference.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "tensor/pictures.hpp"

namespace zt::generate {

EncodedReference encode_reference(const LoadedModel& model, const image::Image& placed,
                                  const image::Image& whole, const Canvas& canvas, config::ClipResize fit,
                                  at::Device device) {
  const at::NoGradGuard no_grad;
  const at::Tensor pixels_1CHW = place_photo(canvas, placed).mul_(2).sub_(1).unsqueeze(0).to(device);
  image::ClipInputOptions options;
  options.size = static_cast<int>(model.image_encoder->config().image_size);
  options.fit = fit == config::ClipResize::Squash ? image::ClipFit::Squash : image::ClipFit::ShortestEdge;
  const at::Tensor clip_1CHW = tensor::clip_pixels(whole, options).to(device);
  return {.latents_CHW = model.codec->encode(pixels_1CHW).mean_BCHW.squeeze(0) * model.codec->scaling(),
          .embedding_D = model.image_encoder->embed(clip_1CHW).squeeze(0)};
}

}  // namespace zt::generate
