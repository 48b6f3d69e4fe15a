// SPDX-License-Identifier: Apache-2.0
// See batch.hpp.
#include "train/pass/batch.hpp"

#include <ATen/ATen.h>

#include "tensor/require.hpp"
#include "train/pass/draws.hpp"

namespace zt::train {
namespace {

/// (C, F, h, w), drawn from the frames' posteriors.
at::Tensor target_latents(const prepare::EncodedSample& sample, double scaling, DrawKey key) {
  std::vector<at::Tensor> frames_CHW;
  for (size_t f = 0; f < sample.targets_F.size(); ++f)
    frames_CHW.push_back(
        draw_latent(sample.targets_F[f], scaling, LatentRole::Target, static_cast<int64_t>(f), key));
  return at::stack(frames_CHW, /*dim=*/1);
}

}  // namespace

std::vector<SampleRoll> roll_samples(std::span<const prepare::EncodedSample> samples,
                                     const BatchRules& rules) {
  const bool is_per_batch = rules.condition.dropout_scope == config::DropoutScope::Batch;
  std::vector<SampleRoll> rolls;
  for (const prepare::EncodedSample& sample : samples) {
    const uint64_t decider = is_per_batch ? samples.front().plan.sample : sample.plan.sample;
    rolls.push_back({draw_timestep(rules.schedule, {rules.seed, sample.plan.sample}),
                     draw_dropout(rules.condition, {rules.seed, decider})});
  }
  return rolls;
}

Batch assemble(std::span<const prepare::EncodedSample> samples, std::span<const SampleRoll> rolls,
               const BatchRules& rules) {
  ZT_REQUIRE(!samples.empty() && samples.size() == rolls.size(), "wanted a roll per sample, got ",
             samples.size(), " samples and ", rolls.size(), " rolls");
  Batch batch;
  std::vector<at::Tensor> latents, noise, poses, context, references, reference_context;
  std::vector<int64_t> timesteps;
  for (size_t i = 0; i < samples.size(); ++i) {
    const prepare::EncodedSample& sample = samples[i];
    const DrawKey key{rules.seed, sample.plan.sample};
    latents.push_back(target_latents(sample, rules.latent_scaling, key));
    noise.push_back(draw_noise(latents.back().sizes(), rules.schedule.noise_offset, key));
    poses.push_back(sample.pose_3FHW);
    timesteps.push_back(rolls[i].timestep);
    if (rolls[i].is_dropped) {
      context.push_back(rules.null_embedding_D);
      batch.bank_row_B.push_back(-1);
      continue;
    }
    context.push_back(sample.embedding_D);
    batch.bank_row_B.push_back(static_cast<int64_t>(references.size()));
    references.push_back(draw_latent(sample.reference, rules.latent_scaling, LatentRole::Reference, 0, key));
    reference_context.push_back(sample.embedding_D);
  }
  // From pinned memory a copy waits for nothing: the GPU is still at the step before.
  const auto sent = [&](const at::Tensor& x) {
    return rules.device.is_cpu() ? x : x.pin_memory().to(rules.device, /*non_blocking=*/true);
  };
  batch.latents_BCFHW = sent(at::stack(latents));
  batch.noise_BCFHW = sent(at::stack(noise));
  batch.timesteps_B = at::tensor(timesteps, at::kLong);
  batch.pose_BCFHW = sent(at::stack(poses)).to(at::kFloat).div_(255);
  batch.context_BLD = sent(at::stack(context).unsqueeze(1));
  if (!references.empty()) {
    batch.reference_RCHW = sent(at::stack(references));
    batch.reference_context_RLD = sent(at::stack(reference_context).unsqueeze(1));
  }
  return batch;
}

}  // namespace zt::train
