// SPDX-License-Identifier: Apache-2.0
// Moore-AnimateAnyone's yaml files as they stand, through the program, on a checkout of that project: its
// folders, names and kinds of files (.bin, .pth, .ckpt) with networks small enough to run here. Only sizes of
// pictures and numbers of steps are set beside the files.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/files/files.hpp"
#include "base/process/process.hpp"
#include "image/file.hpp"
#include "media/video_reader.hpp"
#include "media/video_writer.hpp"
#include "models/export_folder.hpp"
#include "models/network_set.hpp"
#include "models/vae/vae_codec.hpp"
#include "support/clips.hpp"
#include "support/puppet_clips.hpp"
#include "support/temp_folder.hpp"
#include "tensor/from_entry.hpp"
#include "weights/model_folder.hpp"
#include "weights/torch_zip_writer.hpp"

namespace zt {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Words = std::vector<std::string>;

constexpr int kSide = 64;
constexpr int kFrames = 12;

/// Four levels, as the yaml files say: eight heads and the motion modules' 32 groups divide the widths.
config::ModelJob moore_model() {
  config::ModelJob model;
  model.unet.block_out_channels = {32, 32, 32, 32};
  model.unet.layers_per_block = 1;
  model.unet.norm_num_groups = 8;
  model.unet.cross_attention_dim = 16;
  model.image_encoder = {.image_size = 16,
                         .patch_size = 8,
                         .hidden_size = 16,
                         .intermediate_size = 16,
                         .num_layers = 1,
                         .num_heads = 2};
  model.codec.block_out_channels = {8, 8, 8, 8};
  model.codec.layers_per_block = 1;
  model.codec.norm_num_groups = 4;
  return model;
}

/// Writes tensors as torch.save does, each name behind `prefix`.
void write_pickle(const fs::path& path, const std::vector<models::NamedTensor>& tensors,
                  const std::string& prefix = "") {
  std::vector<weights::TensorEntry> entries;
  for (const auto& [name, value] : tensors) entries.push_back(tensor::to_entry(prefix + name, value));
  test::expect_ok(files::make_folders(path.parent_path()));
  test::expect_ok(weights::write_torch_zip(path, entries));
}

/// A checkout with configs/, pretrained_weights/, data/ and what a stage-1 run of the reference left behind.
class MooreCheckout : public testing::Test {
 protected:
  static void SetUpTestSuite() { folder_ = new test::TempFolder; }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }

  void SetUp() override {
    if (fs::exists(root() / "configs")) return;
    write_weights();
    write_data();
    fs::copy(ZT_SOURCE_DIR "/src/config/testdata/moore/configs", root() / "configs",
             fs::copy_options::recursive);
    write_inputs();
  }

  static fs::path root() { return folder_->path(); }

  /// Runs the program in the checkout. Its output, both streams.
  static std::string run(Words words, int wanted_code = 0) {
    process::SpawnOptions options;
    options.argv = {ZT_PROGRAM};
    options.argv.insert(options.argv.end(), words.begin(), words.end());
    options.working_folder = root();
    options.out = options.err = process::Stream::pipe();
    const auto done = test::value_of(process::run(options, std::chrono::seconds(120)));
    EXPECT_EQ(done.exit.shell_code(), wanted_code) << done.out << done.err;
    return done.out + done.err;
  }

  /// The run of that name.
  static fs::path result_of(const std::string& name) {
    for (const auto& item : fs::directory_iterator(root() / "exp_output"))
      if (item.path().filename().string().starts_with(name + "-")) return item.path();
    return {};
  }

  static Words train(const std::string& file, Words more) {
    Words words = {"train", "--config", "configs/train/" + file};
    for (const std::string& set :
         Words{"data.width=64", "data.height=64", "data.train_bs=1", "data.sample_margin=2",
               "data.sample_rate=1", "data.n_sample_frames=4", "max_train_steps=2",
               "validation.every_steps=2", "validation.steps=2", "validation.num_clips=1",
               "validation.num_frames=4", "validation.num_loss_samples=1", "threads=1"}) {
      words.push_back("--set");
      words.push_back(set);
    }
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

 private:
  static void write_unet_folder(const fs::path& folder, const models::NetworkSet& set) {
    write_pickle(
        folder / "diffusion_pytorch_model.bin",
        models::network_tensors(*set.store, models::kDenoisingUNet, models::Contents::WithoutMotion));
    test::expect_ok(
        files::write_atomic(folder / "config.json",
                            models::to_json(set.reference_net->config(), models::UNetClass::Reference2D)));
  }

  static void write_weights() {
    const fs::path weights = root() / "pretrained_weights";
    const config::ModelJob model = moore_model();
    const auto set = test::value_of(models::build_networks(model, 4, {.motion = true, .seed = 1}));
    write_unet_folder(weights / "stable-diffusion-v1-5/unet", set);
    write_unet_folder(weights / "sd-image-variations-diffusers/unet", set);
    test::expect_ok(test::value_of(models::build_codec(model, 2))->save(weights / "sd-vae-ft-mse"));
    const auto encoder = test::value_of(models::build_image_encoder(model, 3));
    test::expect_ok(encoder->save(weights / "image_encoder"));
    test::expect_ok(encoder->save(weights / "sd-image-variations-diffusers/image_encoder"));
    test::expect_ok(models::export_networks(set, nullptr, nullptr, weights, config::ExportLayout::Moore));
    write_pickle(weights / "mm_sd_v15_v2.ckpt",
                 models::network_tensors(*set.store, models::kDenoisingUNet, models::Contents::MotionOnly));
    auto control = models::network_tensors(*set.store, models::kPoseGuider);
    // What makes the other half of a ControlNet, and is not the pose guider's.
    write_pickle(weights / "control_v11p_sd15_openpose/diffusion_pytorch_model.bin", control,
                 "controlnet_cond_embedding.");
    for (const std::string network : {"reference_unet", "denoising_unet", "pose_guider"}) {
      fs::create_directories(root() / "exp_output/stage1");
      fs::copy_file(weights / (network + ".pth"), root() / "exp_output/stage1" / (network + "-980.pth"));
    }
  }

  static void write_video(const fs::path& path, int first) {
    std::vector<image::Image> frames;
    for (int t = 0; t < kFrames; ++t) frames.push_back(test::drifting_frame(kSide, kSide, first + t));
    test::expect_ok(files::make_folders(path.parent_path()));
    test::expect_ok(media::write_video(path, frames, {.width = kSide, .height = kSide, .fps = {8, 1}}));
  }

  static void write_data() {
    std::string list;
    for (int i = 0; i < 3; ++i) {
      const std::string name = std::to_string(i) + ".mp4";
      write_video(root() / "data/fashion" / name, 40 * i);
      write_video(root() / "data/fashion_dwpose" / name, 40 * i + 7);
      list += std::string(list.empty() ? "" : ",") + "{\"video_path\": \"./data/fashion/" + name +
              "\", \"kps_path\": \"./data/fashion_dwpose/" + name + "\"}";
    }
    test::expect_ok(files::write_atomic(root() / "data/fashion_meta.json", "[" + list + "]"));
  }

  static void write_inputs() {
    const fs::path inputs = root() / "configs/inference";
    test::expect_ok(files::make_folders(inputs / "ref_images"));
    for (const char* name : {"anyone-2.png", "anyone-10.png"})
      test::expect_ok(image::write_png(inputs / "ref_images" / name, test::drifting_frame(kSide, kSide, 5)));
    for (const char* name : {"anyone-video-1_kps.mp4", "anyone-video-2_kps.mp4", "anyone-video-5_kps.mp4"})
      write_video(inputs / "pose_videos" / name, 3);
  }

  static inline test::TempFolder* folder_ = nullptr;
};

TEST_F(MooreCheckout, AnimationYamlMakesAVideoForEveryCaseOnTheCpu) {
  const std::string said = run({"generate", "--config", "configs/prompts/animation.yaml", "-W", "64", "-H",
                                "64", "-L", "4", "--steps", "2", "--set", "threads=1"});

  EXPECT_THAT(said, HasSubstr("dtype = fp32: the CPU can't generate in fp16"));
  int videos = 0;
  for (const auto& item : fs::recursive_directory_iterator(root() / "output")) {
    if (item.path().extension() != ".mp4") continue;
    ++videos;
    const auto video = test::value_of(media::probe(item.path(), {.count_frames = true}));
    EXPECT_EQ(video.num_frames, 4) << item.path();
  }
  EXPECT_EQ(videos, 6) << "three cases, each bare and beside its inputs";

  const std::string refused =
      run({"generate", "--config", "configs/prompts/animation.yaml", "--set", "dtype=fp16"}, 78);
  EXPECT_THAT(refused, HasSubstr("--set dtype=fp32"));
}

TEST_F(MooreCheckout, StageOneYamlTrainsFromABaseModelAndAControlNet) {
  const std::string said = run(train("stage1.yaml", {}));

  EXPECT_THAT(said, HasSubstr("VAE and image encoder stay fp32")) << "what weight_dtype does not do";
  EXPECT_TRUE(fs::exists(result_of("stage1") / "checkpoints/step-00000002/manifest.json"));
  EXPECT_TRUE(fs::exists(result_of("stage1") / "samples/step-00000002.png"));
}

TEST_F(MooreCheckout, StageTwoYamlTrainsFromStageOneFilesAndAnimateDiff) {
  run(train("stage2.yaml", {}));

  EXPECT_TRUE(fs::exists(result_of("stage2") / "checkpoints/step-00000002/manifest.json"));
  EXPECT_TRUE(fs::exists(result_of("stage2") / "samples/step-00000002-clip0.mp4"));
}

// The sizes of a file's VAE are known only when it is opened: they were an assertion's business.
TEST_F(MooreCheckout, ASizeThatTheVaeCannotTakeIsNamed) {
  const std::string size = run(train("stage1.yaml", {"--set", "data.width=60"}), 2);
  EXPECT_THAT(size, HasSubstr("data.width and data.height (60 x 64) must be multiples of 8"));

  const std::string guider =
      run(train("stage1.yaml", {"--set", "model.pose_guider.block_out_channels=[16, 32, 96]"}), 2);
  EXPECT_THAT(guider, HasSubstr("model.pose_guider.block_out_channels"));

  const std::string cached =
      run({"data", "cache", "--config", "configs/train/stage1.yaml", "--set", "data.width=60"}, 2);
  EXPECT_THAT(cached, HasSubstr("must be multiples of 8"));
}

}  // namespace
}  // namespace zt
