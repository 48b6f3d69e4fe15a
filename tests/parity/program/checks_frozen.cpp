// SPDX-License-Identifier: Apache-2.0
// The VAE, and the image encoder with its preprocessing.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "checks.hpp"
#include "image/clip_input.hpp"
#include "image/resize.hpp"
#include "pictures.hpp"

namespace zt::parity {
namespace {

void check_vae(const FixtureFolder& folder, Report& report) {
  const std::string file = "i_vae";
  const auto vae = folder.vae();
  const models::Moments moments = vae->encode(folder.input(file, "inp_image"));
  // The file holds the log variance before its clamp.
  const std::vector<at::Tensor> wanted = folder.get(file, "moments").chunk(2, 1);
  Check check("VAE");
  const auto compare = [&](const std::string& name, const at::Tensor& found) {
    check.close(name, found, folder.get(file, name), folder.tolerance(file, name));
  };
  compare("mean", moments.mean_BCHW);
  compare("std", (0.5 * moments.logvar_BCHW).exp());
  compare("sample", moments.sample(folder.input(file, "inp_eps")));
  compare("decoded", vae->decode(folder.input(file, "inp_dec")));
  check.close("log variance", moments.logvar_BCHW, wanted[1].clamp(-30, 20),
              folder.tolerance(file, "moments"));
  report.add(check);
}

at::Tensor pixels_of(const image::Image& picture, const image::ClipInputOptions& options) {
  const std::vector<float> values = image::clip_input(picture, options);
  return at::tensor(values, at::kFloat).view({1, 3, options.size, options.size});
}

void check_preprocessing(const FixtureFolder& folder, const image::Image& picture, const at::Tensor& shortest,
                         Report& report) {
  const std::string file = "j_clip";
  Check check("image encoder's input");
  const image::Image small = squashed(picture);
  check.require("squashed_u8", small == picture_of(folder.get(file, "squashed_u8")));
  // 1 ulp of fp16 after rounding ours: at most 2^-10 of the value, or the smallest step there is.
  check.close("pixel_values_shortest_f16", shortest.to(at::kHalf),
              folder.get(file, "pixel_values_shortest_f16"), 0x1p-24, 0x1p-10);
  report.add(check);
}

void check_clip(const FixtureFolder& folder, Report& report) {
  const std::string file = "j_clip";
  const models::ClipVisionConfig config = folder.clip_config();
  const auto store = folder.clip_store();
  const models::ClipVision net(config, store->source("clip"));
  const image::Image picture = picture_of(folder.get(file, "inp_image_u8"));
  const image::ClipInputOptions options{.size = static_cast<int>(config.image_size)};
  const at::Tensor shortest = pixels_of(picture, options);
  const at::Tensor squashed_pixels = pixels_of(squashed(picture), options);
  check_preprocessing(folder, picture, shortest, report);

  Check check("image encoder");
  const auto compare = [&](const std::string& name, const at::Tensor& found) {
    check.close(name, found, folder.get(file, name), folder.tolerance(file, name));
  };
  compare("image_embeds_shortest", net.embed(shortest.to(folder.device())));
  compare("image_embeds_squashed", net.embed(squashed_pixels.to(folder.device())));
  compare("image_embeds_zero_pixels", net.embed(at::zeros_like(shortest, folder.device())));
  compare("last_hidden_cls_shortest", net.last_hidden(shortest.to(folder.device())).select(1, 0));
  for (const auto& [name, pixels] : {std::pair("pixel_values_shortest_mean_std", shortest),
                                     std::pair("pixel_values_squashed_mean_std", squashed_pixels)}) {
    compare(name, at::stack({pixels.mean(), pixels.std()}));
  }
  report.add(check);
}

}  // namespace

void check_frozen_networks(const FixtureFolder& folder, Report& report) {
  const at::NoGradGuard no_grad;
  folder.has("i_vae") ? check_vae(folder, report) : report.add_absent("VAE");
  folder.has("j_clip") ? check_clip(folder, report) : report.add_absent("image encoder");
}

}  // namespace zt::parity
