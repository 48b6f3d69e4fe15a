// SPDX-License-Identifier: Apache-2.0
// Generation from pictures to pictures as the reference's long pipeline does it (compat: moore), and its
// context windows.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <regex>

#include "checks.hpp"
#include "generate/pipeline/pipeline.hpp"
#include "generate/pipeline/windows.hpp"
#include "image/clip_input.hpp"
#include "image/resize.hpp"
#include "pictures.hpp"
#include "tensor/pictures.hpp"

namespace zt::parity {
namespace {

constexpr const char* kPipelineFile = "h_pipeline";
constexpr int64_t kSeed = 42;
constexpr double kGuidance = 3.5;
/// The stored video holds every fourth frame.
constexpr int64_t kVideoStride = 4;

/// Everything that the runs of one folder share.
struct Pipeline {
  explicit Pipeline(const FixtureFolder& folder)
      : nets(folder.networks(2)),
        vae(folder.vae()),
        sampler(unwrap(diffusion::DdimSampler::make(folder.schedule("scheduler_infer"), {},
                                                    folder.manifest().at("config").at("steps")))) {
    const nlohmann::json& config = folder.manifest().at("config");
    context.frames = config.at("ctxf");
    context.overlap = config.at("ovl");
    context.mode = config::ContextMode::Compat;
    context.closed_loop = true;
    const image::Image reference = picture_of(folder.get(kPipelineFile, "inp_ref_u8"));
    pose_CFhw =
        folder.get(kPipelineFile, "inp_pose_u8").to(at::kFloat).div(255).permute({3, 0, 1, 2}).contiguous();
    const image::Image sized = image::resize(reference, static_cast<int>(pose_CFhw.size(3)),
                                             static_cast<int>(pose_CFhw.size(2)), image::Filter::Lanczos);
    const at::Tensor picture_1Chw = tensor::from_picture(sized).unsqueeze(0) * 2 - 1;
    latents_CHW = vae->encode(picture_1Chw.to(folder.device())).mean_BCHW.squeeze(0) * vae->scaling();
    const auto store = folder.clip_store();
    const models::ClipVision clip(folder.clip_config(), store->source("clip"));
    const image::ClipInputOptions options{.size = static_cast<int>(clip.config().image_size)};
    const std::vector<float> pixels = image::clip_input(squashed(reference), options);
    embedding_D =
        clip.embed(
                at::tensor(pixels, at::kFloat).view({1, 3, options.size, options.size}).to(folder.device()))
            .squeeze(0);
  }

  at::Tensor sample(int64_t frames, generate::SampleOptions options) const {
    options.seed = kSeed;
    options.context = context;
    options.context.divide_overlaps = options.guidance_scale > 1;
    const generate::SampleInput input{.reference_latents_CHW = latents_CHW,
                                      .image_embedding_D = embedding_D,
                                      .pose = generate::pose_frames(pose_CFhw.narrow(1, 0, frames)),
                                      .num_frames = frames};
    return unwrap(generate::sample_latents({*nets.reference_net, *nets.denoising_unet, *nets.pose_guider},
                                           sampler, input, options));
  }

  models::NetworkSet nets;
  std::unique_ptr<models::VaeCodec> vae;
  diffusion::DdimSampler sampler;
  config::ContextJob context;
  at::Tensor pose_CFhw, latents_CHW, embedding_D;
};

void check_whole_clip(const FixtureFolder& folder, const Pipeline& pipeline, Report& report) {
  const at::Tensor wanted = folder.get(kPipelineFile, "latents_per_step");
  const double tolerance = folder.tolerance(kPipelineFile, "latents_per_step");
  Check steps("pipeline, latents after every step"), video("pipeline, decoded frames");
  generate::SampleOptions options;
  options.guidance_scale = kGuidance;
  options.on_step = [&](size_t step, const at::Tensor& latents_CFHW) {
    const auto index = static_cast<int64_t>(step);
    steps.close("step " + std::to_string(step), latents_CFHW, wanted[index][0], tolerance);
  };
  const int64_t frames = pipeline.pose_CFhw.size(1);
  const at::Tensor latents_CFHW = pipeline.sample(frames, options);
  const at::Tensor clip_FChw = generate::decode_clip(*pipeline.vae, latents_CFHW);
  const at::Tensor kept_FChw = clip_FChw.index_select(0, at::arange(0, frames, kVideoStride));
  video.close("video", kept_FChw.transpose(0, 1).unsqueeze(0), folder.get(kPipelineFile, "video"),
              folder.tolerance(kPipelineFile, "video"));
  report.add(steps);
  report.add(video);
}

void check_variants(const FixtureFolder& folder, const Pipeline& pipeline, Report& report) {
  const std::regex pattern("latents_final_(g1_)?(bankfp16|L([0-9]+))");
  Check check("pipeline, other lengths and quirks");
  for (const std::string& name : folder.names(kPipelineFile, "latents_final_")) {
    std::smatch part;
    if (!std::regex_match(name, part, pattern)) throw std::runtime_error("unknown pipeline variant " + name);
    generate::SampleOptions options;
    options.guidance_scale = part[1].matched ? 1.0 : kGuidance;
    if (!part[3].matched) options.bank_dtype = config::BankDtype::Fp16;
    const int64_t frames = part[3].matched ? std::stoll(part[3]) : pipeline.pose_CFhw.size(1);
    check.close(name, pipeline.sample(frames, options).unsqueeze(0), folder.get(kPipelineFile, name),
                folder.tolerance(kPipelineFile, name));
  }
  report.add(check);
}

void check_windows(const FixtureFolder& folder, Report& report) {
  const std::regex pattern("(closed_loop_false_|step([0-9]+)_)?L([0-9]+)_cf([0-9]+)_st([0-9]+)_ov([0-9]+)");
  Check check("context windows");
  const nlohmann::json lists = folder.json("context_windows");
  for (const auto& [key, wanted] : lists.items()) {
    std::smatch part;
    if (!std::regex_match(key, part, pattern))
      throw std::runtime_error("unknown key of context_windows: " + key);
    config::ContextJob context;
    context.mode = config::ContextMode::Compat;
    context.closed_loop = !part[1].matched || part[2].matched;
    context.frames = std::stoll(part[4]);
    context.stride = std::stoll(part[5]);
    context.overlap = std::stoll(part[6]);
    const int64_t step = part[2].matched ? std::stoll(part[2]) : 0;
    check.require(key, generate::uniform_windows(context, std::stoll(part[3]), step) ==
                           wanted.get<std::vector<std::vector<int64_t>>>());
  }
  report.add(check);
}

}  // namespace

void check_pipeline(const FixtureFolder& folder, Report& report) {
  const at::NoGradGuard no_grad;
  folder.has_json("context_windows") ? check_windows(folder, report) : report.add_absent("context windows");
  if (!folder.has(kPipelineFile)) return report.add_absent("pipeline");
  const Pipeline pipeline(folder);
  check_whole_clip(folder, pipeline, report);
  check_variants(folder, pipeline, report);
}

}  // namespace zt::parity
