// SPDX-License-Identifier: Apache-2.0
// The memory estimate against the allocator's count of a real denoising step, at the sizes of tiny64
// (bench/peer).
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string_view>

#include "generate/budget.hpp"
#include "generate/pipeline/pipeline.hpp"
#include "models/linear_codec/linear_codec.hpp"
#include "models/refined_codec/refined_codec.hpp"
#include "models/vae/vae_codec.hpp"
#include "support/small_model.hpp"
#include "tensor/memory.hpp"

namespace zt::generate {
namespace {

/// Before the first tensor of this program.
const bool is_counting = (tensor::install_counting_allocator(), true);

constexpr int64_t kScaleFactor = 4, kChannels = 4;

config::GenerateJob tiny64() {
  config::GenerateJob job;
  job.model = test::small_model();
  job.model.unet.block_out_channels = {32, 64, 96, 96};
  job.model.unet.cross_attention_dim = 64;
  job.model.motion.max_len = 24;
  job.model.pose_guider.block_out_channels = {16, 32, 64};
  job.width = job.height = 64;
  job.length = 8;
  job.steps = 1;
  return job;
}

/// What sampling takes and gives back: everything but weights and decoding.
double measured(const config::GenerateJob& job, const models::NetworkConfigs& configs,
                int64_t pose_memory_bytes = SampleOptions().pose_memory_bytes) {
  const models::NetworkSet set = models::make_networks(configs, {.motion = true});
  const auto sampler = make_sampler(job.schedule, {.steps = job.steps}).value();
  const int64_t side = job.width / kScaleFactor;
  const SampleInput input{.reference_latents_CHW = at::randn({kChannels, side, side}),
                          .image_embedding_D = at::randn({job.model.unet.cross_attention_dim}),
                          .pose = pose_frames(at::rand({3, job.length, job.height, job.width})),
                          .num_frames = job.length};
  SampleOptions options;
  options.guidance_scale = job.guidance_scale;
  options.context = job.context;
  options.pose_memory_bytes = pose_memory_bytes;
  const int64_t live = tensor::memory_stats().live_bytes;
  tensor::reset_peak();
  EXPECT_TRUE(
      sample_latents({*set.reference_net, *set.denoising_unet, *set.pose_guider}, sampler, input, options));
  return static_cast<double>(tensor::memory_stats().peak_bytes - live);
}

models::LinearCodec linear_codec() {
  return models::LinearCodec::fit(at::randn({20, 3, 16, 16}),
                                  {.patch_size = kScaleFactor, .latent_channels = kChannels});
}

/// The same without weights and decoding.
double estimated(const config::GenerateJob& job, const models::NetworkConfigs& configs) {
  const Canvas canvas = make_canvas(job.width, job.height, kScaleFactor, job.compat).value();
  double bytes = 0;
  for (const resources::Demand& demand : memory_demands(job, configs, canvas, linear_codec(), job.length))
    if (!demand.what.starts_with("weights") && !demand.what.starts_with("decoding"))
      bytes += static_cast<double>(demand.bytes);
  return bytes;
}

/// Runs `body` with that many libtorch threads.
template <class Body>
void with_threads(int threads, const Body& body) {
  ASSERT_TRUE(is_counting);
  const int before = at::get_num_threads();
  at::set_num_threads(threads);
  body(models::network_configs(tiny64().model, kChannels, /*motion=*/true).value());
  at::set_num_threads(before);
}

TEST(GenerateBudgetMeasured, OneHalfAfterTheOtherIsAsEstimated) {
  with_threads(1, [](const models::NetworkConfigs& configs) {
    EXPECT_NEAR(estimated(tiny64(), configs) / measured(tiny64(), configs), 1, 0.1);
  });
}

// What grows are the clip's latents and what is added up beside them, a hundredth of a window's activations.
TEST(GenerateBudgetMeasured, AClipFourTimesAsLongTakesHardlyMore) {
  with_threads(1, [](const models::NetworkConfigs& configs) {
    constexpr int64_t kPoseBytes = 1 << 20;
    config::GenerateJob window = tiny64(), clip = tiny64();
    window.length = 24;
    clip.length = 4 * 24;
    const double of_window = measured(window, configs, kPoseBytes),
                 of_clip = measured(clip, configs, kPoseBytes);
    std::printf("24 frames %.1f MB, 96 frames %.1f MB\n", of_window / 1e6, of_clip / 1e6);
    EXPECT_LT(of_clip, 1.15 * of_window);
  });
}

TEST(GenerateBudgetMeasured, HalvesSideBySideTakeNoMoreThanEstimated) {
  with_threads(2, [](const models::NetworkConfigs& configs) {
    config::GenerateJob unguided = tiny64();
    unguided.guidance_scale = 1;
    const double both = estimated(tiny64(), configs), one = estimated(unguided, configs);
    EXPECT_NEAR(both / one, 2, 0.1);
    EXPECT_LE(measured(tiny64(), configs), both);
    // A window is worked on in parts (nn/parts.hpp), whose peaks may meet or miss each other.
    const double of_measured = one / measured(unguided, configs);
    EXPECT_GE(of_measured, 0.95);
    EXPECT_LE(of_measured, 1.3);
  });
}

/// What is estimated of decoding a chunk of frames over what it takes.
double decoding_ratio(const models::LatentCodec& codec, int64_t side) {
  config::GenerateJob job = tiny64();
  job.width = job.height = side;
  job.decode_chunk_frames = job.length;
  const Canvas canvas = make_canvas(side, side, codec.scale_factor(), job.compat).value();
  const auto said = static_cast<double>(decoding_demand(job, canvas, codec, job.length).bytes);
  const int64_t latents = side / codec.scale_factor();
  const at::Tensor latents_CFHW = at::randn({codec.channels(), job.length, latents, latents});
  const auto drop = [](int64_t, const at::Tensor&) -> Status { return {}; };
  const int64_t live = tensor::memory_stats().live_bytes;
  tensor::reset_peak();
  EXPECT_TRUE(decode_latents(codec, latents_CFHW, {.chunk_frames = job.decode_chunk_frames}, drop));
  const auto took = static_cast<double>(tensor::memory_stats().peak_bytes - live);
  std::printf("decoding: said %.1f MB, took %.1f MB\n", said / 1e6, took / 1e6);
  return said / took;
}

models::VaeConfig vae_of(std::vector<int64_t> widths) {
  models::VaeConfig config;
  config.block_out_channels = std::move(widths);
  config.latent_channels = kChannels;
  return config;
}

TEST(GenerateBudgetMeasured, SamplingAndDecodingAreNotAddedUp) {
  with_threads(1, [](const models::NetworkConfigs& configs) {
    const auto wide = models::VaeCodec::random(vae_of({64, 64, 64}), 1);
    const Canvas canvas = make_canvas(64, 64, kScaleFactor, config::Compat::None).value();
    config::GenerateJob job = tiny64();
    const auto starts = [&](std::string_view what) {
      const auto demands = memory_demands(job, configs, canvas, *wide, job.length);
      return std::ranges::count_if(demands,
                                   [&](const auto& demand) { return demand.what.starts_with(what); });
    };
    EXPECT_EQ(starts("decoding") + starts("activations"), 1);
    job.decode_chunk_frames = 1;
    EXPECT_EQ(starts("activations"), 1) << "a frame's decoding is less than a window";
  });
}

TEST(GenerateBudgetMeasured, DecodingTakesWhatEachCodecSays) {
  ASSERT_TRUE(is_counting);
  constexpr double kTolerance = 0.25;
  EXPECT_NEAR(decoding_ratio(linear_codec(), 256), 1, kTolerance);
  for (const std::vector<int64_t>& widths : {std::vector<int64_t>{32, 32, 64}, {32, 64, 64}, {64, 64, 64}}) {
    EXPECT_NEAR(decoding_ratio(*models::VaeCodec::random(vae_of(widths), 1), 128), 1, kTolerance);
    const auto refined = models::RefinedCodec::random(linear_codec(), vae_of(widths), 1);
    EXPECT_NEAR(decoding_ratio(*refined, 128), 1, kTolerance);
  }
}

}  // namespace
}  // namespace zt::generate
