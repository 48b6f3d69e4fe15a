// SPDX-License-Identifier: Apache-2.0
// What the networks know of the reference picture.
#pragma once

#include <ATen/core/Tensor.h>

#include "config/job/generate_job.hpp"
#include "generate/load_run.hpp"
#include "generate/pictures/canvas.hpp"
#include "image/image.hpp"

namespace zt::generate {

struct EncodedReference {
  at::Tensor latents_CHW;  ///< the mean of the codec's posterior, scaled
  at::Tensor embedding_D;
};

/// `placed`, brought to the canvas's size whatever its shape, through the codec; `whole`, the picture before
/// any crop, through the image encoder.
EncodedReference encode_reference(const LoadedModel& model, const image::Image& placed,
                                  const image::Image& whole, const Canvas& canvas, config::ClipResize fit,
                                  at::Device device);

}  // namespace zt::generate
