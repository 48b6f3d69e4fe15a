// SPDX-License-Identifier: Apache-2.0
#include "models/refined_codec/refined_codec.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "models/encoder_shapes.hpp"
#include "models/internal/frozen_network.hpp"
#include "models/vae/vae_codec.hpp"
#include "support/temp_folder.hpp"
#include "tensor/noise.hpp"

namespace zt::models {
namespace {

constexpr uint64_t kSeed = 3;

LinearCodec linear_of_patch(int64_t patch) {
  return LinearCodec::fit(tensor::normal({20, 3, 8, 8}, {.seed = 1}) * 0.3,
                          {.patch_size = patch, .latent_channels = 6});
}

VaeConfig refiner_of_levels(std::vector<int64_t> widths) {
  VaeConfig config;
  config.block_out_channels = std::move(widths);
  config.latent_channels = 6;
  config.norm_num_groups = 4;
  return config;
}

std::unique_ptr<RefinedCodec> example() {
  return RefinedCodec::random(linear_of_patch(4), refiner_of_levels({8, 8, 16}), kSeed);
}

TEST(RefinedCodec, EncodesAsTheLinearCodecAndAddsTheRefinersPicture) {
  const auto codec = example();
  const LinearCodec linear = linear_of_patch(4);
  // The whole AutoencoderKL of the same names and seed has the same decoder.
  params::ParamTable table;
  AutoencoderKL(refiner_of_levels({8, 8, 16}), params::ParamSource(table, "refiner"));
  const VaeCodec vae(refiner_of_levels({8, 8, 16}), internal::make_frozen_store(table, kSeed, at::kCPU),
                     "refiner");
  const at::Tensor images = tensor::normal({3, 3, 8, 12}, {.seed = 2});

  const at::Tensor latents = codec->encode(images).mean_BCHW;

  EXPECT_TRUE(at::equal(latents, linear.encode(images).mean_BCHW));
  const at::Tensor decoded = codec->decode(latents, /*chunk=*/2);
  EXPECT_EQ(decoded.sizes(), images.sizes());
  EXPECT_LT((decoded - linear.decode(latents) - vae.decode(latents)).abs().max().item<float>(), 1e-5);
  EXPECT_GT((decoded - linear.decode(latents)).abs().max().item<float>(), 1e-2);
}

TEST(RefinedCodec, ComesBackFromItsFolder) {
  const test::TempFolder folder;
  const auto codec = example();
  const at::Tensor latents = tensor::normal({2, 6, 3, 2}, {.seed = 4});

  ASSERT_TRUE(codec->save(folder.path() / "codec"));
  const auto opened = open_latent_codec(folder.path() / "codec");

  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ((*opened)->digest(), codec->digest());
  EXPECT_NE(codec->digest(), linear_of_patch(4).digest());
  EXPECT_TRUE(at::equal((*opened)->decode(latents), codec->decode(latents)));
}

TEST(RefinedCodec, IsPlannedWithItsRefinersWeights) {
  const test::TempFolder folder;
  ASSERT_TRUE(example()->save(folder.path() / "codec"));
  config::ModelJob job;
  job.vae_model_path = (folder.path() / "codec").string();

  const auto shape = latent_shape(job);

  ASSERT_TRUE(shape) << shape.error().text();
  EXPECT_EQ(shape->channels, 6);
  EXPECT_EQ(shape->scale_factor, 4);
  EXPECT_FALSE(shape->is_random);
  const int64_t refiner = RefinedCodec::declare(refiner_of_levels({8, 8, 16})).num_elements();
  EXPECT_EQ(shape->num_weights, refiner + 13 * 48);
}

TEST(RefinedCodec, RefusesPartsOfTwoCodecs) {
  const test::TempFolder folder;
  ASSERT_TRUE(example()->save(folder.path() / "codec"));
  ASSERT_TRUE(linear_of_patch(2).save_as(RefinedCodec::kClassName, folder.path() / "codec"));

  const auto opened = open_latent_codec(folder.path() / "codec");

  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::InvalidConfig);
  EXPECT_NE(opened.error().text().find("two codecs"), std::string::npos) << opened.error().text();
}

TEST(RefinedCodec, NamesTheFolderThatIsMissing) {
  const test::TempFolder folder;
  ASSERT_TRUE(linear_of_patch(4).save_as(RefinedCodec::kClassName, folder.path() / "codec"));

  const auto opened = open_latent_codec(folder.path() / "codec");

  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::NotFound);
  EXPECT_NE(opened.error().text().find("refiner"), std::string::npos) << opened.error().text();
}

}  // namespace
}  // namespace zt::models
