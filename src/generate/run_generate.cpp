// SPDX-License-Identifier: Apache-2.0
#include "generate/run_generate.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>
#include <vector>

#include "base/files/files.hpp"
#include "base/log.hpp"
#include "base/process/resources.hpp"
#include "config/load.hpp"
#include "data/from_job.hpp"
#include "generate/budget.hpp"
#include "generate/load_run.hpp"
#include "generate/pictures/align.hpp"
#include "generate/pictures/canvas.hpp"
#include "generate/pictures/output.hpp"
#include "generate/pictures/pose_source.hpp"
#include "generate/pipeline/pipeline.hpp"
#include "generate/reference.hpp"
#include "image/file.hpp"
#include "models/encoder_shapes.hpp"
#include "models/scalar_type.hpp"
#include "tensor/device.hpp"
#include "tensor/device_memory.hpp"
#include "tensor/parallel.hpp"

namespace zt::generate {
namespace {

namespace fs = std::filesystem;

/// Everything that was read before the first step.
struct Inputs {
  image::Image reference;
  PoseSource pose;
  LoadedModel model;
  Canvas canvas;
  int64_t num_frames = 0;
};

Status require_inputs(const config::GenerateJob& job) {
  if (job.reference_image.empty())
    return fail(ErrorCode::InvalidArgument,
                "reference_image is not set: give a picture of the character (--ref)");
  if (job.pose.empty())
    return fail(ErrorCode::InvalidArgument,
                "pose is not set: give a pose video or a file of key-points (--pose)");
  if (job.dtype == config::DtypeChoice::Fp16 && job.device == "cpu")
    return fail(
        ErrorCode::Unsupported,
        "dtype fp16 needs a GPU: give --device cuda, or --set dtype=fp32 for the CPU (bf16 takes half "
        "its memory)");
  return {};
}

Result<image::Image> read_reference(const config::GenerateJob& job) {
  image::ReadOptions options;
  // The reference opens pictures with PIL, which leaves them as they are stored.
  options.apply_exif_orientation = job.compat != config::Compat::Moore;
  return image::read(job.reference_image, options);
}

int64_t clamped_length(const config::GenerateJob& job, int64_t num_poses) {
  if (job.length > num_poses)
    log::warn("generate", fmt::format("{} frames wanted, but the poses have {}: making {}", job.length,
                                      num_poses, num_poses));
  return std::min(job.length, num_poses);
}

/// `trained`: how the run's networks were.
config::GenerationDtypes dtypes_for(const config::GenerateJob& job, const config::PrecisionJob& trained) {
  return config::generation_dtypes(job.dtype, job.bank_dtype, trained, job.device == "cpu");
}

Result<Inputs> open_inputs(const config::GenerateJob& job, const OutputPaths& paths, at::Device device,
                           const Hooks& hooks) {
  hooks.say(contract::Phase::Loading, "reading reference and poses");
  ZT_TRY_ASSIGN(image::Image reference, read_reference(job));
  const data::DrawOptions draw = data::draw_options(job);
  ZT_TRY_ASSIGN(PoseSource pose, PoseSource::open(job.pose, draw));
  if (job.align) {
    ZT_TRY_ASSIGN(pose, align_to_reference(job, pose, reference, draw));
  }
  const int64_t num_frames = clamped_length(job, pose.num_frames());

  hooks.say(contract::Phase::Loading, "loading networks");
  Canvas canvas;
  LoadModelOptions load{.weights = {.use_ema = job.use_ema}, .device = device};
  load.matrices = [&job](const config::PrecisionJob& trained) {
    return models::scalar_type(dtypes_for(job, trained).networks);
  };
  load.before_networks = [&](const ModelOutline& model) -> Status {
    const int64_t factor = model.codec.scale_factor();
    ZT_TRY(models::check_guider(model.configs.pose_guider, factor));
    ZT_TRY_ASSIGN(canvas, make_canvas(job.width, job.height, factor, job.compat));
    const auto demands = memory_demands(job, model.configs, canvas, model.codec, num_frames, model.matrices);
    ZT_TRY(tensor::require_memory(device, demands, kMemoryAdvice));
    return resources::require_disk(files::whole_path(paths.bare), disk_demands(job, canvas, num_frames),
                                   kDiskAdvice);
  };
  ZT_TRY_ASSIGN(LoadedModel model, load_model(job, load));
  return Inputs{std::move(reference), std::move(pose), std::move(model), canvas, num_frames};
}

Result<at::Tensor> sample(const config::GenerateJob& job, Inputs& inputs, at::Device device,
                          const Hooks& hooks) {
  ZT_TRY_ASSIGN(
      const diffusion::DdimSampler sampler,
      make_sampler(
          inputs.model.schedule,
          {.steps = job.steps, .eta = job.eta, .spacing = job.timestep_spacing, .betas = job.beta_schedule}));
  const EncodedReference reference = encode_reference(inputs.model, inputs.reference, inputs.reference,
                                                      inputs.canvas, job.clip_resize, device);
  const SampleInput input{.reference_latents_CHW = reference.latents_CHW,
                          .image_embedding_D = reference.embedding_D,
                          .pose = inputs.pose.frames(inputs.canvas),
                          .num_frames = inputs.num_frames};
  SampleOptions options;
  options.guidance_scale = job.guidance_scale;
  options.guidance_rescale = job.guidance_rescale;
  options.seed = job.seed;
  options.same_noise_per_frame = job.same_noise_per_frame;
  options.context = job.context;
  const config::GenerationDtypes dtypes = dtypes_for(job, inputs.model.precision);
  options.bank_dtype = dtypes.bank;
  options.dtype = dtypes.networks;
  options.chunk_frames = job.decode_chunk_frames;
  // The reference draws in its weights' type.
  if (job.compat == config::Compat::Moore && dtypes.networks == config::MixedPrecision::Fp16)
    options.noise_dtype = at::kHalf;
  return sample_latents(inputs.model.view(), sampler, input, options, hooks);
}

/// What the mp4 says about itself.
std::vector<std::pair<std::string, std::string>> metadata(const config::GenerateJob& job,
                                                          const LoadedModel& model) {
  config::Resolved<config::GenerateJob> resolved{.job = job, .origins = {}};
  if (!job.run.empty()) {  // which has its own
    resolved.job.model = config::whole_files();
    resolved.job.schedule = model.schedule;
  }
  return {{"comment", "made by zoetrope generate"},
          {"seed", std::to_string(job.seed)},
          {"weights", model.source},
          {"weights_digest", model.digest},
          {"config", config::freeze(resolved)}};
}

Result<ResultWriter> open_writer(const config::GenerateJob& job, const Inputs& inputs,
                                 const OutputPaths& paths, media::Rational fps) {
  const ResultWriter::Options options{.canvas = inputs.canvas,
                                      .fps = fps,
                                      .crf = static_cast<int>(job.crf),
                                      .write_panels = job.write_panels,
                                      .metadata = metadata(job, inputs.model)};
  const image::Image reference = cut_out(inputs.canvas, place_photo(inputs.canvas, inputs.reference));
  return ResultWriter::open(paths, options, reference);
}

void say_padding(const Canvas& canvas, const ResultWriter& writer) {
  if (canvas.width == writer.width() && canvas.height == writer.height()) return;
  log::warn("generate",
            fmt::format("{}x{} is stored as {}x{}: H.264's yuv420p has even sides, so the last column "
                        "or row is repeated",
                        canvas.width, canvas.height, writer.width(), writer.height()));
}

Status write_videos(const config::GenerateJob& job, Inputs& inputs, const at::Tensor& latents_CFHW,
                    ResultWriter& writer, const Hooks& hooks) {
  const auto write = [&](int64_t first, const at::Tensor& pictures_FChw) -> Status {
    const int64_t count = pictures_FChw.size(0);
    // An interpolated frame shows the pose before it.
    const int64_t first_pose = first / job.interpolation_factor;
    std::vector<int64_t> shown(
        static_cast<size_t>((first + count - 1) / job.interpolation_factor - first_pose + 1));
    std::iota(shown.begin(), shown.end(), first_pose);
    std::vector<image::Image> poses;
    if (job.write_panels) {
      ZT_TRY_ASSIGN(poses, inputs.pose.pictures(shown, inputs.canvas));
    }
    for (int64_t i = 0; i < count; ++i) {
      const auto pose = static_cast<size_t>((first + i) / job.interpolation_factor - first_pose);
      ZT_TRY(writer.write(cut_out(inputs.canvas, pictures_FChw[i], job.pixel_rounding),
                          job.write_panels ? &poses[pose] : nullptr));
    }
    return {};
  };
  const DecodeOptions decode{.interpolation_factor = job.interpolation_factor,
                             .interpolation = job.interpolation,
                             .chunk_frames = job.decode_chunk_frames};
  ZT_TRY(decode_latents(*inputs.model.codec, latents_CFHW, decode, write, hooks));
  return writer.finish();
}

std::tm local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  return local;
}

}  // namespace

Result<std::string> run_generate(const config::GenerateJob& job, const Hooks& hooks) {
  const auto start = std::chrono::steady_clock::now();
  ZT_TRY(require_inputs(job));
  ZT_TRY(check_panels(job));
  if (job.threads > 0) tensor::set_num_threads(job.threads);
  ZT_TRY_ASSIGN(const at::Device device, tensor::open_device(job.device));
  const OutputPaths first_paths = output_paths(job, local_time());
  ZT_TRY(spare_inputs(job, first_paths));
  ZT_TRY(media::require_video_name(first_paths.bare));
  ZT_TRY(files::require_writable(first_paths.bare));
  const OutputPaths first_ends = through_links(first_paths);
  ZT_TRY(media::require_video_name(first_ends.bare));
  ZT_TRY(files::require_writable(first_ends.bare));
  ZT_TRY_ASSIGN(Inputs inputs, open_inputs(job, first_ends, device, hooks));
  ZT_TRY_ASSIGN(const OutputPaths paths, spare_results(job, first_paths));
  const config::GenerationDtypes dtypes = dtypes_for(job, inputs.model.precision);
  log::info("generate", config::to_text(dtypes));
  const media::Rational fps = output_fps(job, inputs.pose.fps());

  ZT_TRY_ASSIGN(ResultWriter writer, open_writer(job, inputs, through_links(paths), fps));
  say_padding(inputs.canvas, writer);
  ZT_TRY_ASSIGN(const at::Tensor latents_CFHW, sample(job, inputs, device, hooks));
  ZT_TRY(write_videos(job, inputs, latents_CFHW, writer, hooks));

  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  nlohmann::ordered_json report;
  report["output"] = paths.bare.string();
  report["panels"] =
      job.write_panels ? nlohmann::ordered_json(paths.panels.string()) : nlohmann::ordered_json();
  report["frames"] = (inputs.num_frames - 1) * job.interpolation_factor + 1;
  report["width"] = writer.width();
  report["height"] = writer.height();
  report["fps"] = fmt::format("{}/{}", fps.num, fps.den);
  report["seed"] = job.seed;
  report["weights"] = inputs.model.source;
  report["weights_digest"] = inputs.model.digest;
  report["dtype"] = config::name(dtypes.networks);
  report["bank_dtype"] = config::name(dtypes.bank);
  report["seconds"] = seconds.count();
  return report.dump();
}

}  // namespace zt::generate
