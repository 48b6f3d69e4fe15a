// SPDX-License-Identifier: Apache-2.0
// The whole pipeline against the reference's own run (tests/parity h_pipeline, from 8-bit pictures to latents
// and frames), and what that run can't show.
#include "generate/pipeline/pipeline.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cstring>
#include <utility>
#include <vector>

#include "generate/load_run.hpp"
#include "generate/pictures/canvas.hpp"
#include "generate/reference.hpp"
#include "support/parity.hpp"
#include "support/parity_networks.hpp"
#include "tensor/noise.hpp"

namespace zt::generate {
namespace {

using test::all_close;

image::Image picture_of(const at::Tensor& pixels_HWC) {
  image::Image picture(static_cast<int>(pixels_HWC.size(1)), static_cast<int>(pixels_HWC.size(0)));
  std::memcpy(picture.pixels.data(), pixels_HWC.contiguous().const_data_ptr<uint8_t>(),
              picture.pixels.size());
  return picture;
}

/// The reference's run: 64 x 64 pixels, 4 trailing steps on the linear schedule, windows of 12 with
/// overlap 4.
class ReferenceRun : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    test::ParityNetworks loaded = test::load_parity_networks(/*motion=*/true);
    model_ = new LoadedModel;
    model_->networks = std::move(loaded.set);
    model_->codec = std::move(loaded.codec);
    model_->image_encoder = std::move(loaded.image_encoder);
  }
  static void TearDownTestSuite() {
    delete model_;
    model_ = nullptr;
  }

  ReferenceRun() {
    canvas_ = make_canvas(64, 64, model_->codec->scale_factor(), config::Compat::Moore).value();
    reference_ = encode(picture_of(file_["inp_ref_u8"]), picture_of(file_["inp_ref_u8"]));
    options_.context = {.frames = 12, .overlap = 4, .mode = config::ContextMode::Compat, .closed_loop = true};
  }

  EncodedReference encode(const image::Image& placed, const image::Image& whole) const {
    return encode_reference(*model_, placed, whole, canvas_, config::ClipResize::Squash, at::kCPU);
  }

  SampleInput input(int64_t num_frames) const {
    std::vector<image::Image> poses;
    for (int64_t f = 0; f < num_frames; ++f) poses.push_back(picture_of(file_["inp_pose_u8"][f]));
    return {.reference_latents_CHW = reference_.latents_CHW,
            .image_embedding_D = reference_.embedding_D,
            .pose = pose_frames(place_poses(canvas_, poses)),
            .num_frames = num_frames};
  }

  at::Tensor sample(const SampleInput& input, const Hooks& hooks = {}) const {
    const auto sampler = make_sampler({}, {.steps = 4, .betas = config::SamplerBetas::Linear});
    const auto latents = sample_latents(model_->view(), sampler.value(), input, options_, hooks);
    if (!latents) throw std::runtime_error(latents.error().text());
    return *latents;
  }

  static LoadedModel* model_;
  const test::ParityFile file_{"h_pipeline"};
  Canvas canvas_;
  EncodedReference reference_;
  SampleOptions options_;
};
LoadedModel* ReferenceRun::model_ = nullptr;

// Tolerances: suggested_atol of MANIFEST.json.
TEST_F(ReferenceRun, GivesItsLatentsAfterEveryStepAndItsFrames) {
  const at::Tensor wanted = file_["latents_per_step"];
  options_.on_step = [&](size_t step, const at::Tensor& latents_CFHW) {
    EXPECT_TRUE(all_close(latents_CFHW, wanted[static_cast<int64_t>(step)][0], 9.5e-5)) << "step " << step;
  };

  const at::Tensor latents_CFHW = sample(input(24));

  const at::Tensor every_4th = at::arange(0, 24, 4);
  const at::Tensor pictures_FChw = decode_clip(*model_->codec, latents_CFHW.index_select(1, every_4th), 4);
  EXPECT_TRUE(all_close(pictures_FChw.transpose(0, 1), file_["video"][0], 3e-5));
}

TEST_F(ReferenceRun, TakesLatentsFromThePlacedPictureAndTheEmbeddingFromTheWhole) {
  const image::Image whole = picture_of(file_["inp_ref_u8"]), placed = picture_of(file_["inp_pose_u8"][0]);

  const EncodedReference mixed = encode(placed, whole);

  EXPECT_TRUE(at::equal(mixed.latents_CHW, encode(placed, placed).latents_CHW));
  EXPECT_TRUE(at::equal(mixed.embedding_D, encode(whole, whole).embedding_D));
  EXPECT_FALSE(at::equal(mixed.latents_CHW, reference_.latents_CHW));
}

TEST_F(ReferenceRun, StartsFromTorchsNoise) {
  const at::Tensor wanted = file_["init_latents_seed42"];
  EXPECT_TRUE(at::randn(wanted.sizes(), tensor::make_generator(42), at::kFloat).equal(wanted));
}

TEST_F(ReferenceRun, NeedsNoWindowsForAShortClip) {
  EXPECT_TRUE(all_close(sample(input(12)), file_["latents_final_L12"][0], 1.2e-4));
}

TEST_F(ReferenceRun, RunsItsHalvesSideBySideOnTwoThreads) {
  const int threads_before = at::get_num_threads();
  at::set_num_threads(2);
  const at::Tensor latents_CFHW = sample(input(12));
  const int threads_after = at::get_num_threads();
  at::set_num_threads(threads_before);

  EXPECT_TRUE(all_close(latents_CFHW, file_["latents_final_L12"][0], 1.2e-4));
  EXPECT_EQ(threads_after, 2);
}

// Memory that does not grow with the clip: what the limit leaves out is computed again.
TEST_F(ReferenceRun, ComputesPoseFeaturesBeyondTheLimitAgain) {
  constexpr int64_t kFrames = 14, kKept = 5;
  int64_t asked = 0;
  SampleInput counted = input(kFrames);
  counted.pose = [&asked, pose = counted.pose](std::span<const int64_t> frames) {
    asked += static_cast<int64_t>(frames.size());
    return pose(frames);
  };
  const int64_t channels = model_->networks.pose_guider->config().embedding_channels;
  options_.pose_memory_bytes = kKept * channels * 8 * 8 * static_cast<int64_t>(sizeof(float));
  options_.guidance_scale = 1;
  options_.context.divide_overlaps = false;

  EXPECT_TRUE(all_close(sample(counted), file_["latents_final_g1_L14"][0], 4.4e-5));

  // Four steps visit every frame; the two windows of each overlap, also where the clip ends in its beginning.
  EXPECT_GE(asked, kFrames + 3 * (kFrames - kKept));
}

TEST_F(ReferenceRun, SlowRoundsItsBankToHalfInCompat) {
  options_.bank_dtype = config::BankDtype::Fp16;
  EXPECT_TRUE(all_close(sample(input(24)), file_["latents_final_bankfp16"][0], 2.2e-4));
}

TEST_F(ReferenceRun, AddsOverlapsWithoutGuidanceInCompat) {
  options_.guidance_scale = 1;
  options_.context.divide_overlaps = false;
  EXPECT_TRUE(all_close(sample(input(14)), file_["latents_final_g1_L14"][0], 4.4e-5));
}

}  // namespace
}  // namespace zt::generate
