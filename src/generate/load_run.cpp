// SPDX-License-Identifier: Apache-2.0
#include "generate/load_run.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "base/hash.hpp"
#include "base/log.hpp"
#include "checkpoint/reader.hpp"
#include "config/weights_folder.hpp"
#include "contract/checkpoint_folder.hpp"
#include "contract/run_folder.hpp"
#include "models/folder_sums.hpp"
#include "models/run_model.hpp"

namespace zt::generate {
namespace {

namespace fs = std::filesystem;

at::ScalarType matrices_of(const LoadedModel& model, const LoadModelOptions& options) {
  return options.matrices ? options.matrices(model.precision) : at::kFloat;
}

models::BuildOptions frozen(const LoadedModel& model, const LoadModelOptions& options) {
  models::BuildOptions build;
  build.motion = model.has_motion;
  build.placement = [matrices = matrices_of(model, options)](const params::ParamInfo& info) {
    return params::Placement{.dtype = info.shape.size() >= 2 ? matrices : at::kFloat, .trainable = false};
  };
  build.device = options.device;
  return build;
}

/// One name for all numbers that make the pictures.
std::string digest_of(const LoadedModel& model) {
  hash::Xxh128 digest;
  digest.update(model.networks.store->digest());
  digest.update(model.codec->digest());
  digest.update(model.image_encoder->digest());
  return digest.hex();
}

Result<checkpoint::Found> open_chosen(const fs::path& checkpoints, const std::string& choice) {
  if (choice == "best") return checkpoint::open_best(checkpoints);
  if (choice == "newest") return checkpoint::open_newest(checkpoints);
  std::vector<std::string> names;
  for (const contract::CheckpointEntry& entry : contract::list_checkpoints(checkpoints)) {
    names.push_back(entry.folder.filename().string());
    if (names.back() != choice) continue;
    ZT_TRY_ASSIGN(checkpoint::Reader reader, checkpoint::Reader::open(entry.folder));
    return checkpoint::Found{std::move(reader), {}};
  }
  if (names.empty())
    return fail(ErrorCode::NotFound,
                fmt::format("{} has no checkpoint yet: there is no '{}'", checkpoints.string(), choice));
  return fail(ErrorCode::NotFound,
              fmt::format("{} has no checkpoint '{}'; wanted best, newest, or one of: {}",
                          checkpoints.string(), choice, fmt::join(names, ", ")));
}

/// Of the optimizer: the parameter trained.
bool has_moments(const checkpoint::Reader& reader, const std::string& parameter) {
  return reader.has("optimizer.exp_avg/" + parameter) || reader.has("optimizer.exp_avg_code/" + parameter);
}

Status copy_parameter(const checkpoint::Reader& reader, const std::string& stored,
                      const params::StoredParam& param, params::ParamStore& store) {
  ZT_TRY_ASSIGN(const at::Tensor value, reader.tensor(stored));
  if (value.sizes() != param.value.sizes())
    return fail(
        ErrorCode::InvalidConfig,
        fmt::format(
            "{} has the shape {} in {}, wanted {}: the checkpoint belongs to networks of another size",
            stored, fmt::join(value.sizes(), "x"), reader.folder().string(),
            fmt::join(param.value.sizes(), "x")));
  store.assign(param.info.name, value);
  return {};
}

Status open_encoders(LoadedModel& model, const config::ModelJob& job, uint64_t seed, at::Device device) {
  ZT_TRY_ASSIGN(model.codec, models::build_codec(job, seed, device));
  ZT_TRY_ASSIGN(model.image_encoder, models::build_image_encoder(job, seed, device));
  return {};
}

Status check_before(const LoadModelOptions& options, const config::ModelJob& job, const LoadedModel& model) {
  if (!options.before_networks) return {};
  ZT_TRY_ASSIGN(const auto configs, models::network_configs(job, model.codec->channels(), model.has_motion));
  return options.before_networks({configs, *model.codec, *model.image_encoder, matrices_of(model, options)});
}

}  // namespace

Result<RunWeights> copy_run_weights(const fs::path& run, const WeightsChoice& choice,
                                    params::ParamStore& store) {
  ZT_TRY_ASSIGN(const auto folder, contract::RunFolder::open(run));
  ZT_TRY_ASSIGN(const checkpoint::Found found, open_chosen(folder.checkpoints(), choice.checkpoint));
  for (const checkpoint::Refusal& refusal : found.refused)
    log::warn("generate", fmt::format("passed over {}: {}", refusal.name, refusal.reason.text()));

  const checkpoint::Reader& reader = found.reader;
  RunWeights weights;
  weights.checkpoint = reader.folder();
  weights.step = reader.manifest().step;
  std::vector<std::string> without_average;
  for (const params::StoredParam& param : store.params()) {
    const std::string& name = param.info.name;
    const bool has_average = choice.use_ema && reader.has("ema/" + name);
    if (!has_average && !reader.has("param/" + name)) {
      weights.missing.push_back(name);
      continue;
    }
    weights.is_ema = weights.is_ema || has_average;
    if (!has_average && has_moments(reader, name)) without_average.push_back(name);
    ZT_TRY(copy_parameter(reader, (has_average ? "ema/" : "param/") + name, param, store));
  }
  if (weights.is_ema && !without_average.empty())
    return fail(
        ErrorCode::Corrupt,
        fmt::format("{} has averages, but none of {} parameters that trained, the first is {}: a mix of both "
                    "would be nobody's weights; take another checkpoint, or "
                    "the weights themselves (use_ema: false)",
                    reader.folder().string(), without_average.size(), without_average.front()));
  return weights;
}

Result<LoadedModel> load_run(const fs::path& run, const LoadModelOptions& options) {
  ZT_TRY_ASSIGN(const config::TrainJob job, models::run_config(run));
  ZT_TRY_ASSIGN(const config::ModelJob located, models::locate_encoders(run, job.model));
  for (const std::string& path : {located.vae_model_path, located.image_encoder_path})
    ZT_TRY(models::check_sums(path));
  LoadedModel model;
  model.has_motion = job.stage == 2;
  model.schedule = job.schedule;
  model.data = job.data;
  model.precision = job.precision;
  ZT_TRY(open_encoders(model, located, static_cast<uint64_t>(job.seed), options.device));
  ZT_TRY(check_before(options, job.model, model));
  const models::BuildOptions build = frozen(model, options);
  ZT_TRY_ASSIGN(const auto configs,
                models::network_configs(job.model, model.codec->channels(), model.has_motion));
  model.networks = models::make_networks(configs, build, /*initialize=*/false);
  ZT_TRY_ASSIGN(const RunWeights weights, copy_run_weights(run, options.weights, *model.networks.store));
  if (!weights.missing.empty())
    return fail(
        ErrorCode::Corrupt,
        fmt::format("{} lacks {} of {} parameters, the first is {}", weights.checkpoint.string(),
                    weights.missing.size(), model.networks.store->params().size(), weights.missing.front()));
  model.source = fmt::format("{} step {}{}", run.string(), weights.step, weights.is_ema ? " (EMA)" : "");
  model.digest = digest_of(model);
  return model;
}

Result<LoadedModel> load_model(const config::GenerateJob& job, const LoadModelOptions& options) {
  if (!job.run.empty()) return load_run(job.run, options);
  config::ModelJob files = job.model;
  if (!job.weights.empty()) {
    ZT_TRY_ASSIGN(files, config::files_of_folder(job.weights, job.model));
  }
  ZT_TRY(models::require_trained_weights(files));

  LoadedModel model;
  ZT_TRY(open_encoders(model, files, /*seed=*/0, options.device));
  // One picture alone needs no motion modules; a clip without them is an error that names the key.
  model.has_motion = job.length > 1 || !files.mm_path.empty();
  ZT_TRY(check_before(options, files, model));
  models::BuildOptions build = frozen(model, options);
  build.for_generation = true;
  ZT_TRY_ASSIGN(model.networks, models::build_networks(files, model.codec->channels(), build));
  for (const models::LoadReport& report : model.networks.reports) log::info("generate", report.summary());
  model.schedule = job.schedule;
  model.source = job.weights.empty() ? files.denoising_unet_path : job.weights;
  model.digest = digest_of(model);
  return model;
}

}  // namespace zt::generate
