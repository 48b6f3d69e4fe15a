// SPDX-License-Identifier: Apache-2.0
// Files as others publish them: names, extra tensors and missing parts of AnimateDiff, ControlNet, CLIP and
// Flax exports, in tiny sizes.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/files/files.hpp"
#include "models/network_set.hpp"
#include "models/vae/vae_codec.hpp"
#include "support/built_networks.hpp"
#include "support/small_model.hpp"
#include "support/temp_folder.hpp"
#include "tensor/from_entry.hpp"
#include "weights/model_folder.hpp"
#include "weights/torch_zip_writer.hpp"

namespace zt::models {
namespace {

using test::built;
using test::kLatents;
using test::small_model;
using test::value_in;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Json = nlohmann::ordered_json;

const std::string kMidOut = "denoising_unet.mid_block.motion_modules.0.temporal_transformer.proj_out.weight";
const std::string kDownQ =
    "denoising_unet.down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_"
    "blocks."
    "0.to_q.weight";
const std::string kDownTable =
    "denoising_unet.down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_"
    "blocks."
    "0.pos_encoder.pe";

/// torch.save of tensors, each name behind `prefix`.
void write_pickle(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                  const std::string& prefix = "") {
  std::vector<weights::TensorEntry> entries;
  for (const auto& [name, value] : tensors) entries.push_back(tensor::to_entry(prefix + name, value));
  ASSERT_TRUE(weights::write_torch_zip(path, entries));
}

/// Trained motion modules: no output of zero.
NetworkSet trained_motion() {
  NetworkSet set = built(small_model(), {.motion = true, .seed = 5});
  set.store->assign(kMidOut, at::ones_like(value_in(set, kMidOut)));
  return set;
}

/// mm_sd_v14.ckpt and v3_sd15_mm.ckpt: no module in the middle block, 24 positions or another number.
std::vector<NamedTensor> animatediff_without_middle(const NetworkSet& set, int64_t positions) {
  std::vector<NamedTensor> tensors = network_tensors(*set.store, kDenoisingUNet, Contents::MotionOnly);
  std::erase_if(tensors, [](const NamedTensor& t) { return t.name.starts_with("mid_block."); });
  for (NamedTensor& t : tensors)
    if (t.name.ends_with(".pe")) t.value = at::full({1, positions, t.value.size(2)}, 7.0F);
  return tensors;
}

void expect_animatediff(const std::string& prefix, int64_t positions) {
  const test::TempFolder folder;
  const NetworkSet source = trained_motion();
  write_pickle(folder / "mm.ckpt", animatediff_without_middle(source, positions), prefix);
  config::ModelJob job = small_model();
  job.mm_path = folder / "mm.ckpt";
  job.mm_zero_proj_out = false;

  const NetworkSet set = built(job, {.motion = true, .seed = 2});

  EXPECT_TRUE(at::equal(value_in(set, kDownQ), value_in(source, kDownQ)));
  EXPECT_EQ(value_in(set, kMidOut).abs().max().item<float>(), 0) << "a module that changes nothing";
  EXPECT_TRUE(at::equal(value_in(set, kDownTable), value_in(source, kDownTable)))
      << "the sinusoid, for any length";
  ASSERT_EQ(set.reports.size(), 1U);
  EXPECT_THAT(set.reports[0].missing, IsEmpty());
  EXPECT_THAT(set.reports[0].wrong_shape, IsEmpty());
}

TEST(PublishedFiles, AnimateDiffVersion1HasNoMiddleAndOtherPositions) { expect_animatediff("module.", 24); }
TEST(PublishedFiles, AnimateDiffVersion3HasNoMiddleAndFewerPositions) { expect_animatediff("", 4); }

TEST(PublishedFiles, AMissingModuleElsewhereThanInTheMiddleIsAnError) {
  const test::TempFolder folder;
  const NetworkSet source = trained_motion();
  std::vector<NamedTensor> tensors = animatediff_without_middle(source, 24);
  std::erase_if(tensors, [](const NamedTensor& t) { return t.name.starts_with("down_blocks.0."); });
  write_pickle(folder / "mm.ckpt", tensors);
  config::ModelJob job = small_model();
  job.mm_path = folder / "mm.ckpt";

  const auto set = build_networks(job, kLatents, {.motion = true});

  ASSERT_FALSE(set);
  EXPECT_THAT(set.error().text(), HasSubstr("down_blocks.0.motion_modules.0"));
}

TEST(PublishedFiles, AControlNetGivesThePoseGuiderAllButItsLastConvolution) {
  const test::TempFolder folder;
  const NetworkSet source = built(small_model(), {.seed = 5});
  std::vector<NamedTensor> tensors;
  for (NamedTensor& t : network_tensors(*source.store, kPoseGuider)) {
    if (t.name == "conv_out.weight") t.value = at::ones_like(t.value);
    tensors.push_back({"controlnet_cond_embedding." + t.name, std::move(t.value)});
  }
  tensors.push_back({"conv_in.weight", at::ones({320, 4, 3, 3})});  // of its UNet half
  tensors.push_back({"controlnet_down_blocks.0.bias", at::ones({320})});
  write_pickle(folder / "diffusion_pytorch_model.bin", tensors);
  config::ModelJob job = small_model();
  job.controlnet_openpose_path = folder / "diffusion_pytorch_model.bin";

  const NetworkSet set = built(job, {.seed = 2});

  for (const char* name : {"pose_guider.conv_in.weight", "pose_guider.blocks.1.bias"})
    EXPECT_TRUE(at::equal(value_in(set, name), value_in(source, name))) << name;
  EXPECT_EQ(value_in(set, "pose_guider.conv_out.weight").abs().max().item<float>(), 0) << "the start value";
  EXPECT_THAT(set.reports.at(0).missing, IsEmpty());
}

/// denoising_unet.pth with motion keys in it.
config::ModelJob one_file_for_all(const std::filesystem::path& folder, const NetworkSet& source) {
  config::ModelJob job = small_model();
  job.denoising_unet_path = folder / "denoising_unet.pth";
  EXPECT_TRUE(save_network(*source.store, kDenoisingUNet, job.denoising_unet_path, SaveFormat::TorchZip));
  return job;
}

TEST(PublishedFiles, ADenoisingUNetThatHoldsMotionBringsIt) {
  const test::TempFolder folder;
  const NetworkSet source = trained_motion();
  const config::ModelJob job = one_file_for_all(folder.path(), source);

  EXPECT_EQ(built(job, {.motion = true, .seed = 2}).store->digest("denoising_unet."),
            source.store->digest("denoising_unet."));
  // Stage 1 has no use for it.
  const NetworkSet pictures = built(job, {.seed = 2});
  EXPECT_TRUE(at::equal(value_in(pictures, "denoising_unet.conv_in.weight"),
                        value_in(source, "denoising_unet.conv_in.weight")));
}

TEST(PublishedFiles, AMotionFileWinsOverMotionInTheDenoisingUNet) {
  const test::TempFolder folder;
  const NetworkSet source = trained_motion();
  config::ModelJob job = one_file_for_all(folder.path(), source);
  const NetworkSet other = built(small_model(), {.motion = true, .seed = 6});
  job.mm_path = folder / "motion_module.pth";
  job.mm_zero_proj_out = false;
  ASSERT_TRUE(
      save_network(*other.store, kDenoisingUNet, job.mm_path, SaveFormat::TorchZip, Contents::MotionOnly));

  const NetworkSet set = built(job, {.motion = true, .seed = 2});

  EXPECT_TRUE(at::equal(value_in(set, kDownQ), value_in(other, kDownQ)));
  EXPECT_FALSE(at::equal(value_in(set, kDownQ), value_in(source, kDownQ)));
  EXPECT_TRUE(at::equal(value_in(set, "denoising_unet.conv_in.weight"),
                        value_in(source, "denoising_unet.conv_in.weight")));
}

/// Reads a folder's config.json, changes it and writes it back.
void change_config(const std::filesystem::path& folder, const std::function<Json(const Json&)>& change) {
  const std::filesystem::path file = folder / "config.json";
  const Json changed = change(Json::parse(files::read(file).value()));
  ASSERT_TRUE(files::write_atomic(file, changed.dump(2)));
}

// As the image encoder's folder of lambdalabs/sd-image-variations-diffusers, and CLIP's own: both towers in
// one file, the projection's width beside them.
TEST(PublishedFiles, AWholeClipModelGivesItsImageHalf) {
  const test::TempFolder folder;
  const auto encoder = build_image_encoder(small_model(), 7).value();
  const std::filesystem::path clip = folder / "clip";
  ASSERT_TRUE(encoder->save(clip));
  change_config(clip, [](Json vision) {
    vision["projection_dim"] = 512;  // transformers' default, which the weights don't have
    return Json{{"architectures", {"CLIPModel"}},
                {"model_type", "clip"},
                {"projection_dim", 16},
                {"text_config", {{"hidden_size", 32}}},
                {"vision_config", vision}};
  });
  {
    const auto file = weights::TensorFile::open(clip).value();
    std::vector<weights::TensorEntry> entries = file.entries();
    const at::Tensor text = at::ones({8, 32});
    entries.push_back(tensor::to_entry("text_model.embeddings.token_embedding.weight", text));
    ASSERT_TRUE(weights::write_torch_zip(folder / "pytorch_model.bin", entries));
  }
  std::filesystem::remove(clip / "model.safetensors");
  std::filesystem::rename(folder / "pytorch_model.bin", clip / "pytorch_model.bin");

  const auto read = ClipEncoder::open(clip);

  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ((*read)->config().projection_dim, 16);
  EXPECT_EQ((*read)->digest(), encoder->digest());
}

TEST(PublishedFiles, AVaeThatFlaxWroteIsAVae) {
  const test::TempFolder folder;
  const auto codec = build_codec(small_model(), 7).value();
  ASSERT_TRUE(codec->save(folder / "vae"));
  change_config(folder / "vae", [](Json config) {
    config["_class_name"] = "FlaxAutoencoderKL";
    return config;
  });

  const auto read = open_latent_codec(folder / "vae");

  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ((*read)->digest(), codec->digest());
}

}  // namespace
}  // namespace zt::models
