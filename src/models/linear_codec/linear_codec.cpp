// SPDX-License-Identifier: Apache-2.0
// See linear_codec.hpp. P = 3 * patch * patch pixels of a patch, in (channel, row, column) order.
#include "models/linear_codec/linear_codec.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <nlohmann/json.hpp>

#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "models/internal/config_reader.hpp"
#include "models/internal/frozen_network.hpp"
#include "models/internal/largest_sizes.hpp"
#include "tensor/from_entry.hpp"
#include "tensor/require.hpp"
#include "weights/model_folder.hpp"
#include "weights/tensor_file.hpp"

namespace zt::models {
namespace {

constexpr double kDeterministicLogvar = -30;
/// Pictures converted to fp64 at once.
constexpr int64_t kPicturesAtATime = 64;
/// Below this standard deviation a component is noise of the arithmetic; it is not amplified.
constexpr double kSmallestDeviation = 1e-4;

/// Mean (P) and covariance (P, P) of all patches, in fp64, a few pictures at a time.
std::pair<at::Tensor, at::Tensor> patch_statistics(const at::Tensor& images_NCHW, int64_t patch) {
  const int64_t width = 3 * patch * patch;
  at::Tensor sum_P = at::zeros({width}, at::kDouble), products_PP = at::zeros({width, width}, at::kDouble);
  int64_t count = 0;
  for (const at::Tensor& part_NCHW : images_NCHW.split(kPicturesAtATime)) {
    const at::Tensor patches_KP =
        at::pixel_unshuffle(part_NCHW.to(at::kDouble), patch).permute({0, 2, 3, 1}).reshape({-1, width});
    sum_P += patches_KP.sum(0);
    products_PP += patches_KP.t().mm(patches_KP);
    count += patches_KP.size(0);
  }
  const at::Tensor mean_P = sum_P / count;
  return {mean_P, products_PP / count - at::outer(mean_P, mean_P)};
}

/// Eigenvectors are unique up to their sign: the entry of largest magnitude becomes positive.
at::Tensor with_fixed_signs(const at::Tensor& vectors_PC) {
  const at::Tensor largest_1C = vectors_PC.gather(0, vectors_PC.abs().argmax(0, /*keepdim=*/true));
  return vectors_PC * at::where(largest_1C < 0, -1.0, 1.0);
}

Status check_shapes(const weights::TensorFile& file, int64_t patch, int64_t channels) {
  const int64_t width = 3 * patch * patch;
  const std::pair<const char*, std::vector<int64_t>> wanted[] = {
      {"mean", {width}}, {"encoder", {channels, width}}, {"decoder", {width, channels}}};
  for (const auto& [name, shape] : wanted) {
    const weights::TensorEntry* entry = file.find(name);
    if (!entry || entry->dtype != weights::DType::F32 || entry->shape != shape) {
      return fail(ErrorCode::Corrupt, std::string("linear codec: the weights lack an fp32 tensor \"") + name +
                                          "\" of the shape that config.json says");
    }
  }
  return {};
}

}  // namespace

LinearCodec::LinearCodec(int64_t patch_size, at::Tensor mean_P, at::Tensor encoder_CP, at::Tensor decoder_PC)
    : patch_size_(patch_size),
      mean_P_(std::move(mean_P)),
      encoder_CP_(std::move(encoder_CP)),
      decoder_PC_(std::move(decoder_PC)),
      encode_bias_C_(-encoder_CP_.mv(mean_P_)) {}

LinearCodec LinearCodec::fit(const at::Tensor& images_NCHW, const Options& options) {
  const int64_t patch = options.patch_size, channels = options.latent_channels;
  ZT_REQUIRE(images_NCHW.dim() == 4 && images_NCHW.size(0) > 0 && images_NCHW.size(1) == 3,
             "wanted pictures (N, 3, H, W), got ", images_NCHW);
  ZT_REQUIRE(images_NCHW.size(2) % patch == 0 && images_NCHW.size(3) % patch == 0,
             "sides must be multiples of ", patch, ", got ", images_NCHW);
  ZT_REQUIRE(channels > 0 && channels <= 3 * patch * patch, "wanted 1 to ", 3 * patch * patch,
             " latent channels, got ", channels);
  const at::NoGradGuard no_grad;
  const auto [mean_P, covariance_PP] = patch_statistics(images_NCHW.cpu(), patch);
  const auto [variance_P, vectors_PP] = at::linalg_eigh(covariance_PP);
  // Ascending: the last columns are the principal ones.
  const at::Tensor vectors_PC = with_fixed_signs(vectors_PP.flip(1).narrow(1, 0, channels));
  const at::Tensor sd_C =
      variance_P.flip(0).narrow(0, 0, channels).clamp_min(0).sqrt().clamp_min(kSmallestDeviation);
  at::Tensor gain_C = sd_C.pow(-options.whitening);
  gain_C = gain_C / (sd_C * gain_C).square().mean().sqrt();
  const auto stored = [](const at::Tensor& x) { return x.to(at::kFloat).contiguous(); };
  return LinearCodec(patch, stored(mean_P), stored((vectors_PC * gain_C).t()), stored(vectors_PC / gain_C));
}

Result<std::unique_ptr<LinearCodec>> LinearCodec::open(const std::filesystem::path& folder,
                                                       at::Device device) {
  ZT_TRY_ASSIGN(const std::string json, internal::read_model_config(folder));
  ZT_TRY_ASSIGN(auto reader, internal::ConfigReader::parse(json, (folder / "config.json").string()));
  int64_t patch = 0, channels = 0;
  reader.read("patch_size", patch);
  reader.read("latent_channels", channels);
  if (patch < 1 || patch > internal::kLargestPatch) reader.refuse("patch_size", "1 to 64");
  ZT_TRY(reader.status());
  if (channels < 1 || channels > 3 * patch * patch) reader.refuse("latent_channels", "1 to 3 * patch_size^2");
  reader.require_one_of("scaling_factor", {"1", "1.0"});
  ZT_TRY(reader.status());
  ZT_TRY_ASSIGN(const weights::TensorFile file, weights::TensorFile::open(folder));
  ZT_TRY(check_shapes(file, patch, channels));
  const auto tensor = [&](const char* name) {
    return tensor::from_entry(*file.find(name)).clone().to(device);
  };
  return std::unique_ptr<LinearCodec>(
      new LinearCodec(patch, tensor("mean"), tensor("encoder"), tensor("decoder")));
}

Status LinearCodec::save(const std::filesystem::path& folder) const { return save_as("LinearCodec", folder); }

Status LinearCodec::save_as(const char* class_name, const std::filesystem::path& folder) const {
  const nlohmann::ordered_json config = {{"_class_name", class_name},
                                         {"patch_size", patch_size_},
                                         {"latent_channels", channels()},
                                         {"scaling_factor", scaling()}};
  const at::Tensor mean = mean_P_.cpu(), encoder = encoder_CP_.cpu(), decoder = decoder_PC_.cpu();
  const weights::TensorEntry entries[] = {tensor::to_entry("mean", mean),
                                          tensor::to_entry("encoder", encoder),
                                          tensor::to_entry("decoder", decoder)};
  return weights::write_model_folder(folder, config.dump(2) + "\n", entries);
}

Moments LinearCodec::encode_in_chunks(const at::Tensor& image_BCHW, int64_t chunk) const {
  ZT_REQUIRE(image_BCHW.dim() == 4 && image_BCHW.size(1) == 3 && image_BCHW.size(2) % patch_size_ == 0 &&
                 image_BCHW.size(3) % patch_size_ == 0,
             "wanted pictures (B, 3, H, W) with sides that are multiples of ", patch_size_, ", got ",
             image_BCHW);
  const at::Tensor kernel_CIHW = encoder_CP_.view({-1, 3, patch_size_, patch_size_});
  const at::Tensor mean_BCHW = internal::in_chunks(image_BCHW, chunk, [&](const at::Tensor& part) {
    return at::conv2d(part, kernel_CIHW, encode_bias_C_, {patch_size_, patch_size_});
  });
  return {mean_BCHW, at::full_like(mean_BCHW, kDeterministicLogvar)};
}

at::Tensor LinearCodec::decode_in_chunks(const at::Tensor& latents_BCHW, int64_t chunk) const {
  ZT_REQUIRE(latents_BCHW.dim() == 4 && latents_BCHW.size(1) == channels(), "wanted latents (B, ", channels(),
             ", H, W), got ", latents_BCHW);
  const at::Tensor kernel_PC11 = decoder_PC_.unsqueeze(-1).unsqueeze(-1);
  return internal::in_chunks(latents_BCHW, chunk, [&](const at::Tensor& part) {
    return at::pixel_shuffle(at::conv2d(part, kernel_PC11, mean_P_), patch_size_);
  });
}

std::string LinearCodec::digest() const {
  hash::Xxh128 hash;
  for (const at::Tensor& weight : {mean_P_, encoder_CP_, decoder_PC_}) {
    const at::Tensor bytes = weight.cpu().contiguous();
    hash.update({static_cast<const std::byte*>(bytes.const_data_ptr()), static_cast<size_t>(bytes.nbytes())});
  }
  return hash.hex();
}

}  // namespace zt::models
