// SPDX-License-Identifier: Apache-2.0
#include "generate/pipeline/pipeline.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "generate/internal/pose_features.hpp"
#include "generate/internal/side_by_side.hpp"
#include "generate/pipeline/windows.hpp"
#include "models/scalar_type.hpp"
#include "tensor/autocast.hpp"
#include "tensor/noise.hpp"
#include "tensor/require.hpp"

namespace zt::generate {
namespace {

/// Both halves of a prediction, (C, F, H, W) fp32; `unconditional` only with guidance.
struct Prediction {
  at::Tensor conditional, unconditional;
};

/// Everything one generation holds between steps.
class Sampling {
 public:
  Sampling(const Networks& networks, const diffusion::DdimSampler& sampler, const SampleInput& input,
           const SampleOptions& options, const Hooks& hooks);
  Result<at::Tensor> run();

 private:
  bool is_guided() const { return options_.guidance_scale > 1; }
  void read_reference();
  at::Tensor draw_noise(int64_t frames) const;
  config::ContextJob context() const;
  Result<Prediction> predict(size_t step, const at::Tensor& latents_CFHW);
  Result<Prediction> predict_window(int64_t timestep, const at::Tensor& latents_CFHW, const Window& window);
  at::Tensor combine(const Prediction& prediction) const;
  void report(size_t step, const std::string& action) const;

  const Networks& networks_;
  const diffusion::DdimSampler& sampler_;
  const SampleInput& input_;
  const SampleOptions& options_;
  const Hooks& hooks_;
  at::Device device_;
  at::Generator generator_;
  internal::PoseFeatures pose_;
  at::Tensor context_11D_;
  models::ProjectedBank bank_;
};

Sampling::Sampling(const Networks& networks, const diffusion::DdimSampler& sampler, const SampleInput& input,
                   const SampleOptions& options, const Hooks& hooks)
    : networks_(networks),
      sampler_(sampler),
      input_(input),
      options_(options),
      hooks_(hooks),
      device_(input.reference_latents_CHW.device()),
      generator_(tensor::make_generator(static_cast<uint64_t>(options.seed))),
      pose_(networks.pose_guider, input.pose,
            {.num_frames = input.num_frames,
             .chunk_frames = options.chunk_frames,
             .limit_bytes = options.pose_memory_bytes,
             .device = device_,
             .autocast = options.guider_autocast}),
      context_11D_(input.image_embedding_D.to(device_).reshape({1, 1, -1})) {}

/// The reference is seen once; keys and values for every step, window and frame come from it.
void Sampling::read_reference() {
  models::ReferenceBank bank = [&] {
    const tensor::AutocastGuard own(
        device_.type(), options_.reference_autocast.value_or(tensor::AutocastState::current(device_.type())));
    return networks_.reference_net.forward(input_.reference_latents_CHW.unsqueeze(0), context_11D_);
  }();
  if (options_.bank_dtype == config::BankDtype::Fp16) bank = bank.rounded_to_half();
  if (options_.dtype == config::MixedPrecision::Fp32)
    for (at::Tensor& norm1 : bank.norm1_RSC) norm1 = norm1.to(at::kFloat);
  bank_ = networks_.denoising_unet.project(bank);
}

at::Tensor Sampling::draw_noise(int64_t frames) const {
  const at::Tensor& reference = input_.reference_latents_CHW;
  const std::vector<int64_t> shape = {1, reference.size(0), frames, reference.size(1), reference.size(2)};
  return at::randn(shape, generator_, at::dtype(options_.noise_dtype)).squeeze(0).to(device_, at::kFloat);
}

/// Frames that can't see each other need no overlap.
config::ContextJob Sampling::context() const {
  config::ContextJob context = options_.context;
  const models::UNetConfig& net = networks_.denoising_unet.config();
  const bool frames_are_alone = !net.motion.enabled && net.use_inflated_groupnorm;
  if (frames_are_alone && context.mode == config::ContextMode::Better) context.overlap = 0;
  return context;
}

Result<Prediction> Sampling::predict_window(int64_t timestep, const at::Tensor& latents_CFHW,
                                            const Window& window) {
  ZT_TRY_ASSIGN(const at::Tensor pose, pose_.of(window.frames));
  const at::Tensor frames = at::tensor(window.frames, at::kLong).to(device_);
  const models::DenoisingInput input{
      .x_BCFHW = latents_CFHW.index_select(1, frames).unsqueeze(0),
      .timestep_B = at::full({1}, timestep, at::dtype(at::kLong).device(device_)),
      .context_BLD = context_11D_,
      .pose_BCFHW = pose,
      .projected = &bank_};
  const auto forward = [&](const models::DenoisingInput& half) {
    return networks_.denoising_unet.forward(half).squeeze(0).to(at::kFloat);
  };
  if (!is_guided()) return Prediction{forward(input), {}};
  models::DenoisingInput blind = input;
  blind.projected = nullptr;
  blind.context_BLD = at::zeros_like(context_11D_);
  // Never as one batch: the halves attend to different keys.
  const int64_t positions = input.x_BCFHW.numel() / input.x_BCFHW.size(1);
  if (options_.one_by_one ||
      !internal::fits_side_by_side(networks_.denoising_unet.config(), positions, device_))
    return Prediction{forward(input), forward(blind)};
  Prediction prediction;
  internal::side_by_side([&](size_t half) {
    (half == 0 ? prediction.conditional : prediction.unconditional) = forward(half == 0 ? input : blind);
  });
  return prediction;
}

Result<Prediction> Sampling::predict(size_t step, const at::Tensor& latents_CFHW) {
  const auto windows = plan_windows(context(), input_.num_frames, static_cast<int64_t>(step));
  Prediction sum{at::zeros_like(latents_CFHW), is_guided() ? at::zeros_like(latents_CFHW) : at::Tensor()};
  at::Tensor weight_F = at::zeros({input_.num_frames}, latents_CFHW.options());
  for (size_t w = 0; w < windows.size(); ++w) {
    ZT_TRY(hooks_.check());
    if (windows.size() > 1) report(step, fmt::format("window {} of {}", w + 1, windows.size()));
    ZT_TRY_ASSIGN(const Prediction part,
                  predict_window(sampler_.timesteps()[step], latents_CFHW, windows[w]));
    const at::Tensor frames = at::tensor(windows[w].frames, at::kLong).to(device_);
    const at::Tensor weights_F = at::tensor(windows[w].weights).to(device_);
    const at::Tensor weights_1F11 = weights_F.reshape({1, -1, 1, 1});
    sum.conditional.index_add_(1, frames, part.conditional * weights_1F11);
    if (is_guided()) sum.unconditional.index_add_(1, frames, part.unconditional * weights_1F11);
    weight_F.index_add_(0, frames, weights_F);
  }
  // The reference forgets the division where there is no guidance: overlapped frames get a doubled
  // prediction.
  if (!is_guided() && !options_.context.divide_overlaps) return sum;
  const at::Tensor divisor_1F11 = weight_F.reshape({1, -1, 1, 1});
  sum.conditional.div_(divisor_1F11);
  if (is_guided()) sum.unconditional.div_(divisor_1F11);
  return sum;
}

at::Tensor Sampling::combine(const Prediction& prediction) const {
  if (!is_guided()) return prediction.conditional;
  const at::Tensor guided =
      diffusion::guide(prediction.unconditional, prediction.conditional, options_.guidance_scale);
  return diffusion::rescale_guidance(guided.unsqueeze(0), prediction.conditional.unsqueeze(0),
                                     options_.guidance_rescale)
      .squeeze(0);
}

void Sampling::report(size_t step, const std::string& action) const {
  hooks_.say(contract::Phase::Generating, action, static_cast<int64_t>(step),
             std::ssize(sampler_.timesteps()));
}

Result<at::Tensor> Sampling::run() {
  std::optional<tensor::AutocastGuard> autocast;
  if (options_.dtype != config::MixedPrecision::Fp32)
    autocast.emplace(device_.type(), tensor::AutocastState{true, models::scalar_type(options_.dtype)});
  at::Tensor latents_CFHW = draw_noise(options_.same_noise_per_frame ? 1 : input_.num_frames);
  if (options_.same_noise_per_frame)
    latents_CFHW = latents_CFHW.expand({-1, input_.num_frames, -1, -1}).contiguous();
  report(0, "reading the reference");
  read_reference();
  const size_t num_steps = sampler_.timesteps().size();
  for (size_t step = 0; step < num_steps; ++step) {
    report(step, "denoising");
    ZT_TRY_ASSIGN(const Prediction prediction, predict(step, latents_CFHW));
    const at::Tensor noise = sampler_.needs_noise() ? draw_noise(input_.num_frames) : at::Tensor();
    latents_CFHW = sampler_.step(step, combine(prediction), latents_CFHW, noise).previous;
    if (!at::isfinite(latents_CFHW).all().item<bool>())
      return fail(ErrorCode::Numeric,
                  fmt::format("latents are not finite after denoising step {}; try dtype fp32, or "
                              "check that the weights were trained with this schedule",
                              step + 1));
    if (options_.on_step) options_.on_step(step, latents_CFHW);
  }
  report(num_steps, "denoised");
  return latents_CFHW;
}

}  // namespace

PoseFrames pose_frames(const at::Tensor& pose_CFhw) {
  return [pose_CFhw](std::span<const int64_t> frames) -> Result<at::Tensor> {
    const at::Tensor index = at::tensor(at::ArrayRef<int64_t>(frames.data(), frames.size()), at::kLong);
    return pose_CFhw.index_select(1, index.to(pose_CFhw.device())).unsqueeze(0);
  };
}

Result<at::Tensor> sample_latents(const Networks& networks, const diffusion::DdimSampler& sampler,
                                  const SampleInput& input, const SampleOptions& options,
                                  const Hooks& hooks) {
  ZT_REQUIRE(input.reference_latents_CHW.dim() == 3, "wanted reference latents (C, H, W), got ",
             input.reference_latents_CHW);
  ZT_REQUIRE(input.image_embedding_D.dim() == 1, "wanted an embedding (D), got ", input.image_embedding_D);
  ZT_REQUIRE(input.num_frames >= 1 && options.chunk_frames >= 1 && input.pose, "frames ", input.num_frames,
             ", chunk ", options.chunk_frames);
  const at::NoGradGuard no_grad;
  return Sampling(networks, sampler, input, options, hooks).run();
}

Result<diffusion::DdimSampler> make_sampler(const config::ScheduleJob& trained,
                                            const SamplerOptions& options) {
  diffusion::NoiseScheduleConfig config = diffusion::noise_schedule_config(trained);
  if (options.betas == config::SamplerBetas::Linear) config.beta_schedule = config::BetaSchedule::Linear;
  if (options.betas == config::SamplerBetas::ScaledLinear)
    config.beta_schedule = config::BetaSchedule::ScaledLinear;
  ZT_TRY_ASSIGN(diffusion::NoiseSchedule schedule, diffusion::NoiseSchedule::make(config));
  const diffusion::DdimConfig ddim{
      .spacing = options.spacing, .prediction = trained.prediction_type, .eta = options.eta};
  return diffusion::DdimSampler::make(std::move(schedule), ddim, options.steps);
}

}  // namespace zt::generate
