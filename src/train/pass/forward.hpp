// SPDX-License-Identifier: Apache-2.0
// One forward pass of training and its loss, the same for both stages: noise the latents, let ReferenceNet
// write the bank, guide by the pose, predict, compare. A network without trainable parameters runs without a
// graph (stage 2: ReferenceNet and the pose guider). Source: Moore-AnimateAnyone's train_stage_1.py,
// train_stage_2.py.
#pragma once

#include <ATen/core/Tensor.h>

#include "config/job/optim_job.hpp"
#include "diffusion/loss.hpp"
#include "diffusion/noise_schedule.hpp"
#include "models/denoising_unet/denoising_unet.hpp"
#include "models/pose_guider/pose_guider.hpp"
#include "models/reference_net/reference_net.hpp"
#include "tensor/autocast.hpp"
#include "train/pass/batch.hpp"

namespace zt::train {

/// The trained networks as one forward pass sees them; borrowed.
struct StepNetworks {
  const models::ReferenceNet& reference_net;
  const models::DenoisingUNet& denoising_unet;
  const models::PoseGuider& pose_guider;
};

struct ForwardRules {
  diffusion::Prediction prediction = diffusion::Prediction::VPrediction;
  diffusion::LossWeighting weighting;
  tensor::AutocastState autocast;         ///< of networks that train
  tensor::AutocastState frozen_autocast;  ///< of networks that do not
  config::BankDtype bank_dtype = config::BankDtype::Compute;
  bool trains_reference_net = true;
  bool trains_pose_guider = true;
  bool recompute = false;  ///< activation checkpointing per unit
};

/// The network's output, (B, C, F, h, w), for the batch's noisy latents.
at::Tensor predict(const StepNetworks& nets, const diffusion::NoiseSchedule& schedule, const Batch& batch,
                   const ForwardRules& rules);

/// Loss of the batch: mean over items of weight(t) x squared error.
diffusion::DiffusionLoss forward_loss(const StepNetworks& nets, const diffusion::NoiseSchedule& schedule,
                                      const Batch& batch, const ForwardRules& rules);

}  // namespace zt::train
