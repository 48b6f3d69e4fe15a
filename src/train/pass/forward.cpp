// SPDX-License-Identifier: Apache-2.0
// See forward.hpp.
#include "train/pass/forward.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <optional>

namespace zt::train {
namespace {

/// Autocast and gradient mode of one network for the length of a scope.
class NetworkScope {
 public:
  NetworkScope(const ForwardRules& rules, bool trains, c10::DeviceType device)
      : autocast_(device, trains ? rules.autocast : rules.frozen_autocast) {
    if (!trains) no_grad_.emplace();
  }

 private:
  tensor::AutocastGuard autocast_;
  std::optional<at::NoGradGuard> no_grad_;
};

models::ReferenceBank write_bank(const StepNetworks& nets, const Batch& batch, const ForwardRules& rules) {
  if (!batch.has_references()) return {};
  const NetworkScope scope(rules, rules.trains_reference_net, batch.latents_BCFHW.device().type());
  models::ReferenceBank bank = nets.reference_net.forward(batch.reference_RCHW, batch.reference_context_RLD,
                                                          {.recompute = rules.recompute});
  if (rules.bank_dtype == config::BankDtype::Fp16) bank = bank.rounded_to_half();
  // A frozen ReferenceNet may compute in a shorter type than the network that reads its bank.
  if (!rules.autocast.enabled)
    for (at::Tensor& norm1 : bank.norm1_RSC) norm1 = norm1.to(at::kFloat);
  return bank;
}

at::Tensor guide_pose(const StepNetworks& nets, const Batch& batch, const ForwardRules& rules) {
  const NetworkScope scope(rules, rules.trains_pose_guider, batch.latents_BCFHW.device().type());
  return nets.pose_guider.forward(batch.pose_BCFHW);
}

}  // namespace

at::Tensor predict(const StepNetworks& nets, const diffusion::NoiseSchedule& schedule, const Batch& batch,
                   const ForwardRules& rules) {
  const at::Tensor noisy = schedule.add_noise(batch.latents_BCFHW, batch.noise_BCFHW, batch.timesteps_B);
  const models::ReferenceBank bank = write_bank(nets, batch, rules);
  const at::Tensor pose = guide_pose(nets, batch, rules);
  const NetworkScope scope(rules, /*trains=*/true, noisy.device().type());
  models::DenoisingInput input;
  input.x_BCFHW = noisy;
  input.timestep_B = batch.timesteps_B.to(noisy.device(), /*non_blocking=*/true);
  input.context_BLD = batch.context_BLD;
  input.pose_BCFHW = pose;
  if (batch.has_references()) {
    input.bank = &bank;
    input.bank_row = batch.bank_row_B;
  }
  input.recompute = rules.recompute;
  return nets.denoising_unet.forward(input);
}

diffusion::DiffusionLoss forward_loss(const StepNetworks& nets, const diffusion::NoiseSchedule& schedule,
                                      const Batch& batch, const ForwardRules& rules) {
  const at::Tensor output = predict(nets, schedule, batch, rules);
  const at::Tensor target =
      schedule.target(rules.prediction, batch.latents_BCFHW, batch.noise_BCFHW, batch.timesteps_B);
  const at::Tensor weights_B =
      diffusion::loss_weights(schedule, rules.weighting, rules.prediction, batch.timesteps_B)
          .to(output.device(), /*non_blocking=*/true);
  return diffusion::weighted_mse(output, target, weights_B);
}

}  // namespace zt::train
