// SPDX-License-Identifier: Apache-2.0
// See run_encoders.hpp.
#include "prepare/run_encoders.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/files/files.hpp"
#include "base/log.hpp"
#include "base/parallel.hpp"
#include "config/paths.hpp"
#include "data/from_job.hpp"
#include "data/sample/clip_file.hpp"
#include "data/sample/load_sample.hpp"
#include "models/folder_sums.hpp"
#include "models/linear_codec/linear_codec.hpp"
#include "models/network_set.hpp"
#include "models/run_model.hpp"
#include "prepare/pixels.hpp"

namespace zt::prepare {
namespace {

namespace fs = std::filesystem;

/// Frames taken from one clip for fitting: opening a clip costs more than a frame.
constexpr int kFitFramesPerClip = 8;

/// Clips that pictures to fit to are taken from.
size_t num_fit_clips(const config::ModelJob& model, size_t num_clips) {
  const auto wanted =
      static_cast<size_t>((model.codec.fit_pictures + kFitFramesPerClip - 1) / kFitFramesPerClip);
  return std::min(wanted, num_clips);
}

/// Pictures (N, 3, H, W) in [-1, 1] from the first samples of the training order.
Result<at::Tensor> pictures_to_fit(const EncoderSource& source, const data::ClipIndex& clips) {
  data::SamplePlanOptions plan = data::plan_options(source.data, /*stage=*/2, source.seed);
  plan.num_frames = kFitFramesPerClip;
  plan.sample_rate = 1;
  data::LoadSampleOptions load = data::load_options(source.data, plan);
  load.parts = {.reference = false, .reference_whole = false, .targets = true, .poses = false};
  const size_t num_samples = num_fit_clips(source.model, clips.clips.size());
  std::vector<Result<std::vector<at::Tensor>>> found(num_samples);
  parallel_for(num_samples, source.num_threads, [&](size_t i) {
    found[i] = [&]() -> Result<std::vector<at::Tensor>> {
      ZT_TRY_ASSIGN(const data::SamplePlan sample, data::plan_sample(plan, clips, i));
      ZT_TRY_ASSIGN(const data::Sample loaded, data::load_sample(clips, sample, load));
      std::vector<at::Tensor> pictures;
      for (const image::Image& picture : loaded.targets) pictures.push_back(signed_pixels(picture));
      return pictures;
    }();
  });
  std::vector<at::Tensor> pictures;
  std::optional<Error> failure;
  for (const auto& sample : found) {
    if (sample) {
      pictures.insert(pictures.end(), sample->begin(), sample->end());
      continue;
    }
    failure = sample.error();
    if (!data::is_fault_of_clip(*failure)) return fail(*std::move(failure));
  }
  if (pictures.empty() && failure) return fail(*std::move(failure));
  if (pictures.empty()) return fail(ErrorCode::NotFound, "no picture to fit the linear codec to");
  return at::stack(pictures);
}

Result<std::unique_ptr<models::LatentCodec>> fit_codec(const EncoderSource& source,
                                                       const data::ClipIndex& clips) {
  ZT_TRY_ASSIGN(const at::Tensor pictures, pictures_to_fit(source, clips));
  const config::CodecShape& shape = source.model.codec;
  models::LinearCodec::Options options;
  options.patch_size = shape.patch;
  options.latent_channels = shape.latent_channels;
  options.whitening = shape.whitening;
  log::info("prepare", "fitting the linear codec to pictures=" + std::to_string(pictures.size(0)));
  return std::make_unique<models::LinearCodec>(models::LinearCodec::fit(pictures, options));
}

/// Writes an encoder's folder so that it appears whole or not at all.
template <class Encoder>
Status save_whole(const Encoder& encoder, const fs::path& folder) {
  ZT_TRY_ASSIGN(const files::Temporary unfinished, files::Temporary::folder(folder));
  ZT_TRY(encoder.save(unfinished.path()));
  ZT_TRY(models::write_sums(unfinished.path()));
  return files::rename_durable(unfinished.path(), folder);
}

/// Saves what no path of the configuration leads to. Reading it back gives the digest that every later launch
/// will see.
Status keep_in_run(const EncoderSource& source, Encoders& encoders) {
  if (source.run.empty()) return {};
  std::error_code ignored;
  if (const fs::path folder = source.run / models::kRunCodec;
      source.model.vae_model_path.empty() && !fs::exists(folder, ignored)) {
    ZT_TRY(save_whole(*encoders.codec, folder));
    ZT_TRY_ASSIGN(encoders.codec, models::open_latent_codec(folder, source.device));
  }
  if (const fs::path folder = source.run / models::kRunImageEncoder;
      source.model.image_encoder_path.empty() && !fs::exists(folder, ignored)) {
    ZT_TRY(save_whole(*encoders.image_encoder, folder));
    ZT_TRY_ASSIGN(encoders.image_encoder, models::ClipEncoder::open(folder, source.device));
  }
  return {};
}

}  // namespace

int64_t num_fit_pictures(const config::ModelJob& model, size_t num_clips) {
  return kFitFramesPerClip * static_cast<int64_t>(num_fit_clips(model, num_clips));
}

Result<Encoders> open_run_encoders(const EncoderSource& source, const data::ClipIndex& clips) {
  const at::NoGradGuard no_grad;
  Encoders encoders;
  encoders.device = source.device;
  ZT_TRY_ASSIGN(const config::ModelJob model, models::locate_encoders(source.run, source.model));
  ZT_TRY(config::require_encoders(model));
  for (const std::string& path : {model.vae_model_path, model.image_encoder_path})
    ZT_TRY(models::check_sums(path));
  ZT_TRY_ASSIGN(encoders.codec, models::needs_codec_fit(model)
                                    ? fit_codec(source, clips)
                                    : models::build_codec(model, source.seed, source.device));
  if (model.image_encoder_path.empty())
    log::info("prepare", "model.image_encoder_path is not set: the image encoder has random weights");
  ZT_TRY_ASSIGN(encoders.image_encoder, models::build_image_encoder(model, source.seed, source.device));
  ZT_TRY(keep_in_run(source, encoders));
  return encoders;
}

at::Tensor null_embedding(const Encoders& encoders, bool of_zero_pixels) {
  const at::NoGradGuard no_grad;
  const auto& config = encoders.image_encoder->config();
  if (!of_zero_pixels) return at::zeros({config.projection_dim});
  const at::Tensor pixels_BCHW = at::zeros({1, config.num_channels, config.image_size, config.image_size});
  return encoders.image_encoder->embed(pixels_BCHW.to(encoders.device)).squeeze(0).to(at::kCPU, at::kFloat);
}

}  // namespace zt::prepare
