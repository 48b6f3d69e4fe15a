// SPDX-License-Identifier: Apache-2.0
#include "models/encoder_shapes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "models/network_set.hpp"
#include "support/pipes.hpp"
#include "support/small_model.hpp"
#include "support/temp_folder.hpp"

namespace zt::models {
namespace {

using test::small_model;
using ::testing::HasSubstr;

TEST(EncoderShapes, AreTheSameFromInlineSizesAndFromTheFolder) {
  const test::TempFolder folder;
  config::ModelJob job = small_model();
  job.codec.latent_channels = 6;
  const LatentShape inline_shape = latent_shape(job).value();
  ASSERT_TRUE(build_codec(job, 1).value()->save(folder / "vae"));
  job.vae_model_path = folder / "vae";
  job.codec = {};  // SD 1.5's, which the folder overrules

  const auto shape = latent_shape(job);

  ASSERT_TRUE(shape) << shape.error().text();
  EXPECT_EQ(shape->channels, 6);
  EXPECT_EQ(shape->scale_factor, 4);
  EXPECT_TRUE(shape->is_random);
  EXPECT_EQ(shape->num_weights, inline_shape.num_weights);
}

// Stable Diffusion's: 83.7 M parameters of the VAE, 304 M of ViT-L/14 with its projection.
TEST(EncoderShapes, CountTheWeightsOfThePublishedOnes) {
  const config::ModelJob job;
  EXPECT_EQ(latent_shape(job)->num_weights, 83'653'863);
  EXPECT_EQ(ClipEncoder::declare(image_encoder_config(job).value()).num_elements(), 303'966'208);
}

TEST(EncoderShapes, ALinearCodecIsKnownByItsPatch) {
  config::ModelJob job = small_model();
  job.codec.kind = config::CodecKind::Linear;
  job.codec.patch = 2;

  const auto shape = latent_shape(job);

  ASSERT_TRUE(shape);
  EXPECT_EQ(shape->scale_factor, 2);
  EXPECT_FALSE(shape->is_random);
  EXPECT_EQ(shape->num_weights, (4 + 4 + 1) * 12) << "encoder, decoder, mean";
}

TEST(EncoderShapes, APipeIsNoDescriptionOfANetwork) {
  const test::TempFolder folder;
  const std::filesystem::path pipe = test::make_pipe(folder / "config.json");
  config::ModelJob job = small_model();
  job.image_encoder_path = job.vae_model_path = folder.path().string();
  std::vector<Error> errors;

  EXPECT_TRUE(test::comes_back(pipe, [&] { errors.push_back(latent_shape(job).error()); }));
  EXPECT_TRUE(test::comes_back(pipe, [&] { errors.push_back(image_encoder_config(job).error()); }));

  for (const Error& error : errors) EXPECT_THAT(error.text(), HasSubstr("config.json is not a regular file"));
}

TEST(EncoderShapes, ThoseOfAFolderHaveALimit) {
  const test::TempFolder folder;
  config::ModelJob job = small_model();
  job.image_encoder_path = job.vae_model_path = folder.path().string();
  const auto write = [&](const char* json) {
    ASSERT_TRUE(files::write_atomic(folder / "config.json", std::string_view(json)));
  };

  write(R"({"num_hidden_layers": 2000000000})");
  EXPECT_THAT(image_encoder_config(job).error().text(), HasSubstr("num_layers must be 1 to 1024"));
  write(R"({"hidden_size": 2000000000})");
  EXPECT_THAT(image_encoder_config(job).error().text(), HasSubstr("every size must be 1 to 262144"));
  write(R"({"patch_size": 2000000000, "latent_channels": 4})");
  EXPECT_THAT(latent_shape(job).error().text(), HasSubstr("1 to 64"));
  write(R"({"layers_per_block": 2000000000})");
  EXPECT_THAT(latent_shape(job).error().text(), HasSubstr("1024 layers per block"));
}

TEST(EncoderShapes, SizesThatAreNoWholeLatentsAreNamed) {
  config::DataJob data;
  data.width = 500;
  const Status size = check_picture_size(data, 8);
  ASSERT_FALSE(size);
  EXPECT_EQ(size.error().code, ErrorCode::InvalidConfig);
  EXPECT_THAT(size.error().text(),
              HasSubstr("data.width and data.height (500 x 512) must be multiples of 8"));

  const Status guider = check_guider(PoseGuiderConfig{}, 4);
  ASSERT_FALSE(guider);
  EXPECT_EQ(guider.error().code, ErrorCode::InvalidConfig);
  EXPECT_THAT(guider.error().text(), HasSubstr("model.pose_guider.block_out_channels"));
}

}  // namespace
}  // namespace zt::models
