// SPDX-License-Identifier: Apache-2.0
// Networks for generation, from wherever weights lie: a run folder, a folder of Moore-layout or diffusers
// files, or single files; and a run's weights as the start of another run.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/job/generate_job.hpp"
#include "config/job/train_job.hpp"
#include "generate/pipeline/pipeline.hpp"
#include "models/clip_vision/clip_vision.hpp"
#include "models/latent_codec.hpp"
#include "models/network_set.hpp"
#include "params/param_store.hpp"

namespace zt::generate {

/// Everything that generation needs, frozen.
struct LoadedModel {
  models::NetworkSet networks;
  std::unique_ptr<models::LatentCodec> codec;
  std::unique_ptr<models::ClipEncoder> image_encoder;
  config::ScheduleJob schedule;    ///< how the weights were trained
  config::PrecisionJob precision;  ///< of a run's training; else the defaults
  config::DataJob data;            ///< how a run drew poses and cut clips; else the defaults
  std::string source;              ///< for people: "runs/walk-1a2b3c4d step 1200 (EMA)"
  std::string digest;              ///< of all weights that make pictures, codec and image encoder included
  bool has_motion = false;

  Networks view() const { return {*networks.reference_net, *networks.denoising_unet, *networks.pose_guider}; }
};

/// Which of a run's weights. Only whole, verified checkpoints count.
struct WeightsChoice {
  bool use_ema = true;              ///< averaged weights where the checkpoint has them
  std::string checkpoint = "best";  ///< "best" (lowest val_loss; else as "newest"), "newest", or a name
};

/// What is known of a model before its networks' memory is taken.
struct ModelOutline {
  const models::NetworkConfigs& configs;
  const models::LatentCodec& codec;
  const models::ClipEncoder& image_encoder;
  at::ScalarType matrices = at::kFloat;  ///< of the networks (LoadModelOptions::matrices)
};

struct LoadModelOptions {
  WeightsChoice weights = {};  ///< of a run
  at::Device device = at::kCPU;
  /// The type in which parameters of two dimensions or more are kept, given how the run was trained (defaults
  /// for weights of no run): that of the products they are for, whose casts it spares. Empty: fp32.
  std::function<at::ScalarType(const config::PrecisionJob&)> matrices = {};
  /// Called when the sizes are known and before the networks' memory is taken; its error ends the loading.
  /// May be empty.
  std::function<Status(const ModelOutline&)> before_networks = {};
};

/// What was copied out of a run.
struct RunWeights {
  std::filesystem::path checkpoint;
  int64_t step = 0;
  bool is_ema = false;
  /// Parameters of the store that the checkpoint does not hold; left as they were.
  std::vector<std::string> missing;
};
/// Copies a checkpoint of the run over the parameters of `store` that it holds. Errors: NotFound if the run
/// has no such checkpoint, InvalidConfig if a parameter has another shape, Corrupt (says why each was
/// refused).
Result<RunWeights> copy_run_weights(const std::filesystem::path& run, const WeightsChoice& choice,
                                    params::ParamStore& store);

/// The networks of a run: its configuration's sizes, the chosen checkpoint, and its encoders
/// (models::locate_encoders). Errors: as above, and those of the readers.
Result<LoadedModel> load_run(const std::filesystem::path& run, const LoadModelOptions& options);

/// The networks of a job: job.run, else job.weights (a folder with Moore's denoising_unet.pth,
/// reference_unet.pth, pose_guider.pth, motion_module.pth or diffusers-type subfolders of those names, and
/// vae/ and image_encoder/), else the single files of job.model, which also fill in what the folder lacks.
/// Errors: NotFound naming what is missing and where it was looked for; those of the readers.
Result<LoadedModel> load_model(const config::GenerateJob& job, const LoadModelOptions& options);

}  // namespace zt::generate
