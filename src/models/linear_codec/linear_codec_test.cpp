// SPDX-License-Identifier: Apache-2.0
#include "models/linear_codec/linear_codec.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/temp_folder.hpp"
#include "tensor/noise.hpp"

namespace zt::models {
namespace {

/// Pictures whose pixels are correlated: noise seen through a 4x4 box.
at::Tensor smooth_pictures(int64_t count) {
  const at::Tensor coarse = tensor::normal({count, 3, 7, 8}, {.seed = 5});
  return at::upsample_bilinear2d(coarse, {12, 16}, /*align_corners=*/false) * 0.4;
}

TEST(LinearCodec, WithAllComponentsReturnsThePicture) {
  const at::Tensor images = smooth_pictures(20);
  const LinearCodec codec = LinearCodec::fit(images, {.patch_size = 2, .latent_channels = 12});

  const Moments moments = codec.encode(images);

  EXPECT_EQ(moments.mean_BCHW.sizes(), (std::vector<int64_t>{20, 12, 6, 8}));
  EXPECT_EQ(moments.logvar_BCHW.max().item<float>(), -30);
  EXPECT_LT((codec.decode(moments.mean_BCHW) - images).abs().max().item<double>(), 1e-4);
}

TEST(LinearCodec, LatentsAreUncorrelatedWithMeanVarianceOne) {
  const at::Tensor images = smooth_pictures(50);
  const LinearCodec codec =
      LinearCodec::fit(images, {.patch_size = 4, .latent_channels = 6, .whitening = 0.5});

  const at::Tensor latents =
      codec.encode(images).mean_BCHW.to(at::kDouble).permute({1, 0, 2, 3}).reshape({6, -1});
  const at::Tensor covariance = latents.mm(latents.t()) / latents.size(1);

  EXPECT_LT(latents.mean(1).abs().max().item<double>(), 1e-5);
  EXPECT_NEAR(covariance.diagonal().mean().item<double>(), 1, 1e-4);
  EXPECT_LT((covariance - covariance.diagonal().diag()).abs().max().item<double>(), 1e-4);
}

TEST(LinearCodec, FullWhiteningMakesAllVariancesEqual) {
  const at::Tensor images = smooth_pictures(50);
  const LinearCodec codec = LinearCodec::fit(images, {.patch_size = 4, .latent_channels = 6, .whitening = 1});

  const at::Tensor latents = codec.encode(images).mean_BCHW.permute({1, 0, 2, 3}).reshape({6, -1});

  EXPECT_LT((latents.square().mean(1) - 1).abs().max().item<double>(), 1e-3);
}

TEST(LinearCodec, FewComponentsGiveTheLeastSquaresError) {
  const at::Tensor images = smooth_pictures(30);
  const LinearCodec codec = LinearCodec::fit(images, {.patch_size = 2, .latent_channels = 5});

  const double error = (codec.decode(codec.encode(images).mean_BCHW) - images).square().sum().item<double>();

  // Independent: what a truncated singular value decomposition of the centred patches leaves.
  const at::Tensor patches =
      at::pixel_unshuffle(images, 2).permute({0, 2, 3, 1}).reshape({-1, 12}).to(at::kDouble);
  const at::Tensor singular = at::linalg_svdvals(patches - patches.mean(0));
  EXPECT_NEAR(error, singular.narrow(0, 5, 7).square().sum().item<double>(), 1e-3 * error);
}

TEST(LinearCodec, SavedAndOpenedItIsTheSameCodec) {
  const test::TempFolder folder;
  const at::Tensor images = smooth_pictures(10);
  const LinearCodec codec = LinearCodec::fit(images, {.patch_size = 4, .latent_channels = 8});
  ASSERT_TRUE(codec.save(folder / "codec"));

  const auto opened = open_latent_codec(folder / "codec");

  ASSERT_TRUE(opened) << opened.error().text();
  EXPECT_EQ((*opened)->digest(), codec.digest());
  EXPECT_EQ((*opened)->scale_factor(), 4);
  EXPECT_TRUE(at::equal((*opened)->encode(images).mean_BCHW, codec.encode(images).mean_BCHW));
}

TEST(LinearCodec, PartsOfABatchGiveWhatTheWholeGives) {
  const at::Tensor images = smooth_pictures(7);
  const LinearCodec codec = LinearCodec::fit(images);
  EXPECT_TRUE(at::allclose(codec.encode(images, 2).mean_BCHW, codec.encode(images, 7).mean_BCHW, 1e-5, 1e-5));
}

}  // namespace
}  // namespace zt::models
