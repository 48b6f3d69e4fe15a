// SPDX-License-Identifier: Apache-2.0
// One training step of each stage, made by the stepper of training: noising, target, prediction, loss and the
// gradient of every trainable parameter.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "checks.hpp"
#include "diffusion/loss.hpp"
#include "train/pass/run_rules.hpp"
#include "train/stepper.hpp"

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

/// The settings of a run that makes this step.
config::TrainJob job_of(const Variant& variant) {
  config::TrainJob job;
  job.stage = variant.stage;
  job.schedule.prediction_type = config::PredictionType::VPrediction;
  job.schedule.min_snr_variant = config::MinSnrVariant::Moore;
  job.schedule.snr_gamma = variant.gamma;
  job.precision.mixed_precision = config::MixedPrecision::Fp32;
  job.precision.bank_dtype = variant.half_bank ? config::BankDtype::Fp16 : config::BankDtype::Compute;
  return job;
}

train::Batch batch_of(const FixtureFolder& folder, const Variant& variant) {
  const auto get = [&](const std::string& name) {
    return folder.input(folder.has(variant.file, name) ? variant.file : variant.inputs, name);
  };
  train::Batch batch;
  batch.latents_BCFHW = get("inp_latents");
  batch.noise_BCFHW = diffusion::offset_noise(get("inp_noise_base"), get("inp_noise_offset"), kNoiseOffset);
  batch.timesteps_B = get("inp_timesteps").cpu();
  batch.pose_BCFHW = get("inp_pose");
  batch.context_BLD = get("inp_ctx");
  batch.bank_row_B.assign(static_cast<size_t>(batch.size()), -1);
  if (variant.has_reference) {
    batch.reference_RCHW = get("inp_ref_latents");
    batch.reference_context_RLD = batch.context_BLD;
    std::iota(batch.bank_row_B.begin(), batch.bank_row_B.end(), 0);
  }
  return batch;
}

/// What one step of training's own stepper made of the batch, and the gradients that it was about to take.
struct Step {
  train::StepReport report;
  std::map<std::string, at::Tensor> gradients;  ///< by parameter
};

Step make_step(const FixtureFolder& folder, const Variant& variant, train::Batch batch) {
  const config::TrainJob job = job_of(variant);
  const diffusion::NoiseSchedule schedule = folder.schedule("scheduler_train");
  train::ModelState state = train::make_model_state(folder.networks(variant.stage), job);
  const params::ParamStore& store = *state.networks.store;
  train::Ranks alone;
  Step step;
  train::StepSettings settings;
  settings.before_update = [&] {  // the update clears them
    for (const params::StoredParam& param : store.params())
      if (param.value.grad().defined()) step.gradients[param.info.name] = param.value.grad().clone();
  };
  train::Stepper stepper(state, alone, schedule, train::forward_rules(job, store), settings);
  train::StepBatches batches(1);
  batches.front().push_back(std::move(batch));
  step.report = unwrap(stepper.step(batches, job.optimizer.learning_rate));
  if (step.report.is_skipped) throw std::runtime_error(variant.file + ": a gradient is not finite");
  return step;
}

const at::Tensor& gradient(const Step& step, const std::string& parameter) {
  const auto found = step.gradients.find(parameter);
  if (found == step.gradients.end()) throw std::runtime_error("no gradient for " + parameter);
  return found->second;
}

/// What goes into the step, and the prediction alone.
void compare_pass(const FixtureFolder& folder, const Variant& variant, const train::Batch& batch,
                  Check& check) {
  const auto compare = [&](const std::string& name, const at::Tensor& found) {
    if (folder.has(variant.file, name))
      check.close(name, found, folder.get(variant.file, name), folder.tolerance(variant.file, name));
  };
  const config::TrainJob job = job_of(variant);
  const diffusion::NoiseSchedule schedule = folder.schedule("scheduler_train");
  const models::NetworkSet nets = folder.networks(variant.stage);
  const train::ForwardRules rules = train::forward_rules(job, *nets.store);
  const at::NoGradGuard no_grad;
  compare("noise", batch.noise_BCFHW);
  compare("noisy", schedule.add_noise(batch.latents_BCFHW, batch.noise_BCFHW, batch.timesteps_B));
  compare("target",
          schedule.target(rules.prediction, batch.latents_BCFHW, batch.noise_BCFHW, batch.timesteps_B));
  compare("pred", train::predict({*nets.reference_net, *nets.denoising_unet, *nets.pose_guider}, schedule,
                                 batch, rules));
  // Without weighting the reference stores zeros for these.
  if (variant.gamma > 0)
    compare("weights",
            diffusion::loss_weights(schedule, rules.weighting, rules.prediction, batch.timesteps_B));
}

void compare_losses(const FixtureFolder& folder, const Variant& variant, const Step& step, Check& check) {
  const auto compare = [&](const std::string& name, const std::vector<double>& found) {
    const at::Tensor wanted = folder.get(variant.file, name);
    check.close(name, at::tensor(found, at::kDouble).reshape(wanted.sizes()), wanted,
                folder.tolerance(variant.file, name));
  };
  compare("loss", {step.report.loss});
  if (variant.gamma == 0) return;  // the reference takes one mean over everything
  std::vector<double> per_sample;
  for (const train::SampleLoss& sample : step.report.samples) per_sample.push_back(sample.mse);
  compare("per_sample_mse", per_sample);
}

void compare_gradients(const FixtureFolder& folder, const Variant& variant, const Step& step,
                       Report& report) {
  Check check(variant.file + " gradients");
  constexpr std::string_view kPrefix = "grad.";
  for (const std::string& name : folder.names(variant.file, std::string(kPrefix)))
    check.close(name, gradient(step, name.substr(kPrefix.size())), folder.get(variant.file, name),
                folder.tolerance(variant.file, name));
  check.close("total_grad_norm", at::full({1}, step.report.norms.total, at::kDouble),
              folder.get(variant.file, "total_grad_norm"), folder.tolerance(variant.file, "total_grad_norm"));
  report.add(check);
}

/// Cross-attention to one key: in the reference these gradients are round-off, ours are exact zeros.
bool is_round_off(const std::string& name) {
  return name.find(".attn2.to_q.") != std::string::npos || name.find(".attn2.to_k.") != std::string::npos ||
         name.find(".transformer_blocks.0.norm2.") != std::string::npos;
}

void compare_norms(const FixtureFolder& folder, const Variant& variant, const Step& step, Report& report) {
  const std::string title = variant.file + " gradient norms";
  if (!folder.has_json("grad_norms")) return report.add_absent(title);
  Check check(title);
  const nlohmann::json norms = folder.json("grad_norms").at(variant.file).at("norms");
  for (const auto& [name, wanted] : norms.items()) {
    const double found = gradient(step, name).to(at::kDouble).norm().item<double>();
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
    const train::Batch batch = batch_of(folder, variant);
    const Step step = make_step(folder, variant, batch);
    Check loss(variant.file + " loss");
    compare_pass(folder, variant, batch, loss);
    compare_losses(folder, variant, step, loss);
    report.add(loss);
    compare_gradients(folder, variant, step, report);
    compare_norms(folder, variant, step, report);
  }
}

}  // namespace zt::parity
