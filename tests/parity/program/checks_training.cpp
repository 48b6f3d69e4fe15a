// SPDX-License-Identifier: Apache-2.0
// One training step of each stage: noising, target, prediction, loss and the gradient of every trainable
// parameter.
#include <ATen/ATen.h>

#include <cmath>

#include "checks.hpp"
#include "diffusion/loss.hpp"

namespace zt::parity {
namespace {

constexpr double kNoiseOffset = 0.05, kSnrGamma = 5;

struct Variant {
  std::string file;    ///< expected values
  std::string inputs;  ///< file of the inputs, stored once per stage
  int stage = 1;
  bool has_reference = true;
  bool half_bank = false;
  double gamma = kSnrGamma;
};

struct Step {
  at::Tensor noise, noisy, target, pred, weights, loss, per_sample_mse;
};

at::Tensor input(const FixtureFolder& folder, const Variant& variant, const std::string& name) {
  return folder.input(folder.has(variant.file, name) ? variant.file : variant.inputs, name);
}

Step run_step(const FixtureFolder& folder, const Variant& variant, const models::NetworkSet& nets) {
  const auto get = [&](const std::string& name) { return input(folder, variant, name); };
  const diffusion::NoiseSchedule schedule = folder.schedule("scheduler_train");
  const auto prediction = diffusion::Prediction::VPrediction;
  const at::Tensor latents = get("inp_latents"), timesteps = get("inp_timesteps"), context = get("inp_ctx");
  Step out;
  out.noise = diffusion::offset_noise(get("inp_noise_base"), get("inp_noise_offset"), kNoiseOffset);
  out.noisy = schedule.add_noise(latents, out.noise, timesteps);
  out.target = schedule.target(prediction, latents, out.noise, timesteps);
  models::ReferenceBank bank;
  if (variant.has_reference) bank = nets.reference_net->forward(get("inp_ref_latents"), context);
  if (variant.half_bank) bank = bank.rounded_to_half();
  out.pred = nets.denoising_unet->forward({.x_BCFHW = out.noisy,
                                           .timestep_B = timesteps,
                                           .context_BLD = context,
                                           .pose_BCFHW = nets.pose_guider->forward(get("inp_pose")),
                                           .bank = variant.has_reference ? &bank : nullptr});
  out.weights = diffusion::loss_weights(schedule, {.gamma = variant.gamma}, prediction, timesteps);
  const diffusion::DiffusionLoss loss = diffusion::weighted_mse(out.pred, out.target, out.weights);
  out.loss = loss.loss;
  out.per_sample_mse = loss.per_sample_mse_B;
  return out;
}

void compare_step(const FixtureFolder& folder, const Variant& variant, const Step& step, Report& report) {
  Check check(variant.file + " loss");
  const auto compare = [&](const std::string& name, const at::Tensor& found) {
    if (!folder.has(variant.file, name)) return;
    check.close(name, found.detach().reshape(folder.get(variant.file, name).sizes()),
                folder.get(variant.file, name), folder.tolerance(variant.file, name));
  };
  compare("noise", step.noise);
  compare("noisy", step.noisy);
  compare("target", step.target);
  compare("pred", step.pred);
  // Without weighting the reference takes one mean over everything and stores zeros for these.
  if (variant.gamma > 0) {
    compare("weights", step.weights);
    compare("per_sample_mse", step.per_sample_mse);
  }
  compare("loss", step.loss);
  report.add(check);
}

void compare_gradients(const FixtureFolder& folder, const Variant& variant, const models::NetworkSet& nets,
                       Report& report) {
  Check check(variant.file + " gradients");
  constexpr std::string_view kPrefix = "grad.";
  for (const std::string& name : folder.names(variant.file, std::string(kPrefix))) {
    const params::StoredParam* param = nets.store->find(name.substr(kPrefix.size()));
    if (!param) throw std::runtime_error("no parameter for " + name);
    check.close(name, param->value.grad(), folder.get(variant.file, name),
                folder.tolerance(variant.file, name));
  }
  double square_sum = 0;
  for (const params::Segment& segment : nets.store->segments()) {
    if (segment.gradients_P.defined())
      square_sum += segment.gradients_P.to(at::kDouble).square().sum().item<double>();
  }
  check.close("total_grad_norm", at::full({1}, std::sqrt(square_sum), at::kDouble),
              folder.get(variant.file, "total_grad_norm"), folder.tolerance(variant.file, "total_grad_norm"));
  report.add(check);
}

/// Cross-attention to one key: in the reference these gradients are round-off, ours are exact zeros.
bool is_round_off(const std::string& name) {
  return name.find(".attn2.to_q.") != std::string::npos || name.find(".attn2.to_k.") != std::string::npos ||
         name.find(".transformer_blocks.0.norm2.") != std::string::npos;
}

void compare_norms(const FixtureFolder& folder, const Variant& variant, const models::NetworkSet& nets,
                   Report& report) {
  Check check(variant.file + " gradient norms");
  const nlohmann::json norms = folder.json("grad_norms").at(variant.file).at("norms");
  for (const auto& [name, wanted] : norms.items()) {
    const params::StoredParam* param = nets.store->find(name);
    if (!param || !param->value.grad().defined()) throw std::runtime_error("no gradient for " + name);
    const double found = param->value.grad().to(at::kDouble).norm().item<double>();
    if (wanted.is_null()) {
      check.within(name, found, 0);  // no gradient at all
    } else if (is_round_off(name)) {
      check.within(name, found, 1e-6);
    } else {
      check.within(name, std::abs(found - wanted.get<double>()), 1e-4 * wanted.get<double>() + 1e-7);
    }
  }
  report.add(check);
}

}  // namespace

void check_training(const FixtureFolder& folder, Report& report) {
  const std::string stage1 = "e_train1_cond", stage2 = "f_train2_cond";
  for (const Variant& variant :
       {Variant{.file = stage1, .inputs = stage1},
        Variant{.file = stage1 + "_gamma0", .inputs = stage1, .gamma = 0},
        Variant{.file = stage1 + "_bankfp16", .inputs = stage1, .half_bank = true},
        Variant{.file = "e_train1_uncond", .inputs = stage1, .has_reference = false},
        Variant{.file = stage2, .inputs = stage2, .stage = 2},
        Variant{.file = stage2 + "_bankfp16", .inputs = stage2, .stage = 2, .half_bank = true},
        Variant{.file = "f_train2_uncond", .inputs = stage2, .stage = 2, .has_reference = false}}) {
    if (!folder.has(variant.file)) {
      report.add_absent(variant.file);
      continue;
    }
    const models::NetworkSet nets = folder.networks(variant.stage);
    const Step step = run_step(folder, variant, nets);
    step.loss.backward();
    compare_step(folder, variant, step, report);
    compare_gradients(folder, variant, nets, report);
    if (folder.has_json("grad_norms")) compare_norms(folder, variant, nets, report);
  }
}

}  // namespace zt::parity
