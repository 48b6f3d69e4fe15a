// SPDX-License-Identifier: Apache-2.0
#include "models/network_set.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "base/files/files.hpp"
#include "models/linear_codec/linear_codec.hpp"
#include "models/vae/vae_codec.hpp"
#include "support/built_networks.hpp"
#include "support/small_model.hpp"
#include "support/temp_folder.hpp"
#include "weights/model_folder.hpp"

namespace zt::models {
namespace {

using test::built;
using test::kLatents;
using test::small_model;
using test::value_in;
using ::testing::HasSubstr;

Status save(const NetworkSet& set, std::string_view network, const std::filesystem::path& path,
            Contents contents = Contents::Whole, SaveFormat format = SaveFormat::TorchZip) {
  return save_network(*set.store, network, path, format, contents);
}

TEST(NetworkSet, InlineSizesGiveRandomNetworksOfThatSize) {
  const NetworkSet set = built(small_model(), {.seed = 3});

  EXPECT_TRUE(set.reports.empty());
  EXPECT_EQ(set.denoising_unet->config().block_out_channels, (std::vector<int64_t>{32, 32}));
  EXPECT_EQ(set.denoising_unet->config().down_has_attention, (std::vector<bool>{true, false}));
  EXPECT_GT(value_in(set, "denoising_unet.conv_in.weight").abs().max().item<float>(), 0);
  EXPECT_EQ(value_in(set, "pose_guider.conv_out.weight").abs().max().item<float>(), 0);
  EXPECT_EQ(set.store->digest(), built(small_model(), {.seed = 3}).store->digest());
  EXPECT_NE(set.store->digest(), built(small_model(), {.seed = 4}).store->digest());
}

// Moore's inference files name four for every network.
TEST(NetworkSet, MotionLevelsBeyondTheNetworksDoNotCount) {
  config::ModelJob job = test::small_model();
  const auto levels = static_cast<int64_t>(job.unet.block_out_channels.size());
  job.motion.levels = {0, levels};

  const auto configs = network_configs(job, 4, /*motion=*/true);

  ASSERT_TRUE(configs) << configs.error().text();
  EXPECT_EQ(configs->denoising_unet.motion.resolutions, std::vector<int64_t>{1});
}

TEST(NetworkSet, CopyReferenceStartsTheDenoiserThereWithZeroOutput) {
  config::ModelJob job = small_model();
  job.denoiser_init = config::DenoiserInit::CopyReference;

  const NetworkSet set = built(job);

  const char* name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight";
  EXPECT_TRUE(at::equal(value_in(set, std::string("reference_unet.") + name),
                        value_in(set, std::string("denoising_unet.") + name)));
  EXPECT_EQ(value_in(set, "denoising_unet.conv_out.weight").abs().max().item<float>(), 0);
}

TEST(NetworkSet, CopyReferenceTakesItsFile) {
  const test::TempFolder folder;
  config::ModelJob job = small_model();
  ASSERT_TRUE(save(built(job, {.seed = 5}), kReferenceUNet, folder / "reference.pth"));
  job.reference_unet_path = folder / "reference.pth";
  job.denoiser_init = config::DenoiserInit::CopyReference;

  const NetworkSet set = built(job, {.motion = true});

  EXPECT_TRUE(at::equal(value_in(set, "denoising_unet.conv_in.weight"),
                        value_in(built(small_model(), {.seed = 5}), "reference_unet.conv_in.weight")));
  EXPECT_EQ(value_in(set, "denoising_unet.conv_out.bias").abs().max().item<float>(), 0);
  ASSERT_EQ(set.reports.size(), 2u);
}

// ZeRO-3: no rank has room for all weights, at the start neither.
TEST(NetworkSet, EachRankStartsWithItsPartOfTheWhole) {
  const test::TempFolder folder;
  config::ModelJob job = small_model();
  ASSERT_TRUE(save(built(job, {.seed = 5}), kPoseGuider, folder / "guider.pth"));
  job.pose_guider_path = folder / "guider.pth";
  job.denoiser_init = config::DenoiserInit::CopyReference;
  job.motion_init = config::MotionInit::FrameLags;
  BuildOptions options{.motion = true, .seed = 2};
  const NetworkSet whole = built(job, options);
  for (int rank = 0; rank < 3; ++rank) {
    options.residency = [=](const std::string&) {
      return params::Residency{.whole_values = false, .shard = {rank, 3}};
    };
    const NetworkSet set = built(job, options);
    for (size_t s = 0; s < whole.store->segments().size(); ++s) {
      const params::Segment& part = set.store->segments()[s];
      const at::Tensor& all = whole.store->segments()[s].values_P;
      ASSERT_FALSE(part.keeps_values);
      const int64_t end = std::min(part.part.end, all.numel());
      if (end <= part.part.begin) continue;  // padding
      EXPECT_TRUE(at::equal(part.values_S.narrow(0, 0, end - part.part.begin),
                            all.narrow(0, part.part.begin, end - part.part.begin)))
          << part.unit << " of rank " << rank;
    }
  }
}

// A pose picture is black but for thin lines: convolutions with torch's start values make a signal of 0.002
// of it.
TEST(NetworkSet, AKeptPoseSignalIsAsStrongAsTheLatents) {
  config::ModelJob job = small_model();
  job.pose_init = config::PoseInit::KeepSignal;
  const NetworkSet set = built(job);
  at::Tensor pose_BCFHW = at::zeros({1, 3, 1, 64, 64});
  pose_BCFHW.slice(/*dim=*/3, 16, 48).slice(/*dim=*/4, 31, 33).fill_(0.6);
  const at::Tensor out_BCFHW = set.pose_guider->forward(pose_BCFHW);
  const double spread = out_BCFHW.std().item<double>();
  EXPECT_GT(spread, 0.1);
  EXPECT_LT(spread, 1);
}

TEST(NetworkSet, StageTwoTakesStageOneFilesAndKeepsZeroMotionOutput) {
  const test::TempFolder folder;
  config::ModelJob job = small_model();
  const NetworkSet stage1 = built(job, {.seed = 1});
  for (const auto network : {kReferenceUNet, kDenoisingUNet, kPoseGuider}) {
    ASSERT_TRUE(save(stage1, network, folder / (std::string(network) + "-30.pth")));
  }
  const NetworkSet motion = built(job, {.motion = true, .seed = 9});
  motion.store->assign("denoising_unet.mid_block.motion_modules.0.temporal_transformer.proj_out.bias",
                       at::ones({32}));
  ASSERT_TRUE(save(motion, kDenoisingUNet, folder / "mm.pth", Contents::MotionOnly));
  job.stage1_ckpt_dir = folder.path();
  job.stage1_ckpt_step = 30;
  job.mm_path = folder / "mm.pth";

  const NetworkSet stage2 = built(job, {.motion = true, .seed = 2});

  const std::string motion_q =
      "denoising_unet.mid_block.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks."
      "0.to_q.weight";
  const std::string motion_out =
      "denoising_unet.mid_block.motion_modules.0.temporal_transformer.proj_out.bias";
  EXPECT_EQ(stage2.store->digest("reference_unet."), stage1.store->digest("reference_unet."));
  EXPECT_TRUE(at::equal(value_in(stage2, "denoising_unet.conv_in.weight"),
                        value_in(stage1, "denoising_unet.conv_in.weight")));
  EXPECT_TRUE(at::equal(value_in(stage2, motion_q), value_in(motion, motion_q)));
  EXPECT_EQ(value_in(stage2, motion_out).sum().item<float>(), 0) << "mm_zero_proj_out";
  EXPECT_EQ(stage2.reports.size(), 4u);

  job.mm_zero_proj_out = false;
  EXPECT_EQ(value_in(built(job, {.motion = true}), motion_out).sum().item<float>(), 32);
}

TEST(NetworkSet, ADiffusersFolderGivesSizesAndWeights) {
  const test::TempFolder folder;
  const NetworkSet source = built(small_model(), {.seed = 1});
  const std::filesystem::path unet = folder / "unet";
  ASSERT_TRUE(files::make_folders(unet));
  ASSERT_TRUE(save(source, kDenoisingUNet, unet / "diffusion_pytorch_model.safetensors", Contents::Whole,
                   SaveFormat::Safetensors));
  ASSERT_TRUE(files::write_atomic(unet / "config.json",
                                  to_json(source.reference_net->config(), UNetClass::Reference2D)));
  config::ModelJob job;  // SD 1.5 sizes, which the folder overrules
  job.base_model_path = folder.path();
  job.pose_guider = small_model().pose_guider;

  const NetworkSet set = built(job);

  EXPECT_EQ(set.denoising_unet->config().block_out_channels, (std::vector<int64_t>{32, 32}));
  EXPECT_EQ(set.store->digest("denoising_unet."), source.store->digest("denoising_unet."));
  ASSERT_EQ(set.reports.size(), 2u);
  EXPECT_EQ(set.reports[0].unexpected.size(), 4u) << "ReferenceNet has no head";
  EXPECT_THAT(set.reports[0].summary(), HasSubstr("4 unexpected (conv_"));
  EXPECT_TRUE(set.reports[0].missing.empty());

  const auto wide = build_networks(job, 16, {});
  ASSERT_FALSE(wide);
  EXPECT_EQ(wide.error().code, ErrorCode::InvalidConfig);
  EXPECT_THAT(wide.error().text(), HasSubstr("latents of 4 channels"));
}

TEST(NetworkSet, WeightsThatAreNoNumbersAreRefusedByTheirFileAndName) {
  const test::TempFolder folder;
  config::ModelJob job = small_model();
  const NetworkSet source = built(job);
  {
    const at::NoGradGuard no_grad;
    source.store->find("pose_guider.conv_in.bias")->value[0] = std::numeric_limits<float>::quiet_NaN();
  }
  ASSERT_TRUE(save(source, kPoseGuider, folder / "pose_guider.pth"));
  job.pose_guider_path = folder / "pose_guider.pth";

  const auto set = build_networks(job, kLatents, {});

  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, ErrorCode::Corrupt);
  EXPECT_THAT(set.error().text(), HasSubstr("pose_guider.pth: 1 of"));
  EXPECT_THAT(set.error().text(), HasSubstr("the first is conv_in.bias"));
}

// A bit that flipped on the disk makes other pictures, seldom numbers that are none.
TEST(NetworkSet, WeightsThatAreNotAsTheyWereSavedAreRefused) {
  const test::TempFolder folder;
  config::ModelJob job = small_model();
  ASSERT_TRUE(save(built(job), kPoseGuider, folder / "pose_guider.pth"));
  job.pose_guider_path = folder / "pose_guider.pth";
  std::string bytes = files::read(folder / "pose_guider.pth").value();
  const auto bias = weights::TensorFile::parse(std::as_bytes(std::span(bytes)), "pose_guider.pth")
                        ->find("conv_in.bias")
                        ->bytes;
  const size_t at = static_cast<size_t>(bias.data() - std::as_bytes(std::span(bytes)).data());
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  ASSERT_TRUE(files::write_atomic(folder / "pose_guider.pth", bytes));

  const auto set = build_networks(job, kLatents, {});

  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, ErrorCode::Corrupt);
  EXPECT_THAT(set.error().text(), HasSubstr("has the checksum"));
}

TEST(NetworkSet, AConfigThatIsNoneIsNamedByItsPath) {
  const test::TempFolder folder;
  const std::filesystem::path unet = folder / "unet";
  ASSERT_TRUE(files::make_folders(unet));
  ASSERT_TRUE(files::write_atomic(unet / "config.json", "[]"));
  config::ModelJob job;
  job.base_model_path = folder.path();

  EXPECT_THAT(build_networks(job, kLatents, {}).error().text(), HasSubstr((unet / "config.json").string()));
}

TEST(NetworkSet, MissingMotionWeightsAreAnErrorThatNamesTheKey) {
  const test::TempFolder folder;
  config::ModelJob job = small_model();
  const NetworkSet stage1 = built(job);
  for (const auto network : {kReferenceUNet, kDenoisingUNet, kPoseGuider}) {
    ASSERT_TRUE(save(stage1, network, folder / (std::string(network) + ".pth")));
  }
  job.reference_unet_path = folder / "reference_unet.pth";
  job.denoising_unet_path = folder / "denoising_unet.pth";
  job.pose_guider_path = folder / "pose_guider.pth";

  const auto generate = build_networks(job, kLatents, {.motion = true, .for_generation = true});
  ASSERT_FALSE(generate);
  EXPECT_EQ(generate.error().code, ErrorCode::InvalidConfig);
  EXPECT_THAT(generate.error().text(), HasSubstr("model.mm_path"));

  job.mm_path = folder / "denoising_unet.pth";
  const auto wrong_file = build_networks(job, kLatents, {.motion = true});
  ASSERT_FALSE(wrong_file);
  EXPECT_THAT(wrong_file.error().text(), HasSubstr("holds no motion modules"));

  job.mm_path = {};
  EXPECT_TRUE(build_networks(job, kLatents, {.motion = true})) << "training may start without any";
}

TEST(NetworkSet, GenerationWantsEveryNetworkAndEncoderFromAFile) {
  config::ModelJob job = small_model();
  for (auto [path, key] : {std::pair(&config::ModelJob::reference_unet_path, "model.reference_unet_path"),
                           std::pair(&config::ModelJob::denoising_unet_path, "model.denoising_unet_path"),
                           std::pair(&config::ModelJob::pose_guider_path, "model.pose_guider_path"),
                           std::pair(&config::ModelJob::vae_model_path, "model.vae_model_path"),
                           std::pair(&config::ModelJob::image_encoder_path, "model.image_encoder_path")}) {
    const Status before = require_trained_weights(job);
    ASSERT_FALSE(before);
    EXPECT_THAT(before.error().text(), HasSubstr(key));
    job.*path = "file";
  }
  EXPECT_TRUE(require_trained_weights(job));
}

TEST(NetworkSet, AFileOfAnotherSizeIsRefusedByName) {
  const test::TempFolder folder;
  config::ModelJob job = small_model();
  ASSERT_TRUE(save(built(job), kReferenceUNet, folder / "reference_unet.pth"));
  job.reference_unet_path = folder / "reference_unet.pth";
  job.unet.cross_attention_dim = 24;

  const auto set = build_networks(job, kLatents, {});

  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, ErrorCode::Corrupt);
  EXPECT_THAT(set.error().text(), HasSubstr("attn2.to_k.weight"));
  EXPECT_THAT(set.error().text(), HasSubstr("while loading model.reference_unet_path"));
}

TEST(NetworkSet, CodecAndImageEncoderSurviveTheirFolders) {
  const test::TempFolder folder;
  config::ModelJob job = small_model();
  const auto codec = build_codec(job, 7);
  const auto encoder = build_image_encoder(job, 7);
  ASSERT_TRUE(codec && encoder);
  ASSERT_TRUE((*codec)->save(folder / "codec"));
  ASSERT_TRUE((*encoder)->save(folder / "image_encoder"));
  job.vae_model_path = folder / "codec";
  job.image_encoder_path = folder / "image_encoder";

  const auto codec2 = build_codec(job, 8);
  const auto encoder2 = build_image_encoder(job, 8);

  ASSERT_TRUE(codec2 && encoder2);
  EXPECT_EQ((*codec2)->digest(), (*codec)->digest());
  EXPECT_EQ((*codec2)->scale_factor(), 4);
  EXPECT_EQ((*encoder2)->digest(), (*encoder)->digest());
  EXPECT_EQ((*encoder2)->embed(at::zeros({2, 3, 16, 16})).sizes(), (std::vector<int64_t>{2, 16}));
}

// 2^63 - 1 layers took all memory of a machine before anybody asked whether they fit.
TEST(NetworkSet, EncodersThatDoNotFitTheMemoryAreRefusedBeforeTheyAreMade) {
  config::ModelJob job = small_model();
  job.image_encoder.hidden_size = 65536;
  job.image_encoder.num_layers = 1024;
  job.codec.block_out_channels = {65536, 65536, 65536};

  const auto encoder = build_image_encoder(job, 1);
  const auto codec = build_codec(job, 1);

  ASSERT_FALSE(encoder || codec);
  EXPECT_EQ(encoder.error().code, ErrorCode::Exhausted);
  EXPECT_THAT(encoder.error().text(),
              testing::AllOf(testing::HasSubstr("x 4 B)"), testing::HasSubstr("model.image_encoder_path")));
  EXPECT_EQ(codec.error().code, ErrorCode::Exhausted);
  EXPECT_THAT(codec.error().text(), testing::HasSubstr("model.vae_model_path"));
}

TEST(NetworkSet, ALinearCodecWithoutAFileMustBeFitted) {
  config::ModelJob job = small_model();
  job.codec.kind = config::CodecKind::Linear;
  EXPECT_TRUE(needs_codec_fit(job));
  const auto codec = build_codec(job, 0);
  ASSERT_FALSE(codec);
  EXPECT_EQ(codec.error().code, ErrorCode::InvalidConfig);
}

}  // namespace
}  // namespace zt::models
