// SPDX-License-Identifier: Apache-2.0
// Sampling on a GPU gives the CPU's pictures.
#include <ATen/ATen.h>

#include "generate/pipeline/pipeline.hpp"
#include "gpu.hpp"
#include "support/tiny_networks.hpp"

namespace zt::generate {
namespace {

constexpr int64_t kFrames = 6, kLatentSide = 4;

/// Two windows, guided, noise in every step.
at::Tensor sampled(at::Device device, config::MixedPrecision dtype) {
  const config::TrainJob job = test::tiny_job(/*stage=*/2);
  const models::NetworkSet nets = test::tiny_networks(job, {}, device);
  const auto noise = [](at::IntArrayRef shape, uint32_t purpose) {
    return tensor::normal(shape, {7, purpose, 0});
  };
  SamplerOptions sampling;
  sampling.steps = 5;
  sampling.eta = 0.5;
  SampleOptions options;
  options.dtype = dtype;
  options.guidance_scale = 2;
  options.context.frames = 4;
  options.context.overlap = 2;
  const SampleInput input{
      .reference_latents_CHW = noise({test::kTinyChannels, kLatentSide, kLatentSide}, 1).to(device),
      .image_embedding_D = noise({test::kTinyContext}, 2),
      .pose = pose_frames(noise({3, kFrames, test::kTinyPicture, test::kTinyPicture}, 3)),
      .num_frames = kFrames};
  return sample_latents({*nets.reference_net, *nets.denoising_unet, *nets.pose_guider},
                        make_sampler(job.schedule, sampling).value(), input, options)
      .value();
}

using GenerationOnGpu = test::OnGpu;

TEST_F(GenerationOnGpu, GivesTheCpusLatents) {
  const at::Tensor wanted = sampled(at::kCPU, config::MixedPrecision::Fp32);
  EXPECT_LT(test::relative_error(sampled(gpu, config::MixedPrecision::Fp32), wanted), 1e-4);
}

// 8 bits of mantissa through ten forward passes; 1e-2 is 40 dB under the latents.
TEST_F(GenerationOnGpu, InBf16IsAsNearAsTheFormatAllows) {
  const at::Tensor wanted = sampled(at::kCPU, config::MixedPrecision::Fp32);
  EXPECT_LT(test::relative_error(sampled(gpu, config::MixedPrecision::Bf16), wanted), 3e-2);
}

TEST_F(GenerationOnGpu, GivesTheSameBitsAgain) {
  EXPECT_TRUE(
      at::equal(sampled(gpu, config::MixedPrecision::Bf16), sampled(gpu, config::MixedPrecision::Bf16)));
}

}  // namespace
}  // namespace zt::generate
