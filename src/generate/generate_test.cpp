// SPDX-License-Identifier: Apache-2.0
// The verb from files to mp4: untrained networks in a folder of weights, a portrait size that is no multiple
// of the latent's, a clip longer than a window, aligned poses.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "data/keypoints/keypoints.hpp"
#include "data/puppet/puppet.hpp"
#include "generate/run_generate.hpp"
#include "image/file.hpp"
#include "media/video_reader.hpp"
#include "models/network_set.hpp"
#include "support/small_model.hpp"
#include "support/temp_folder.hpp"

namespace zt::generate {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

void check(const Status& status) { ASSERT_TRUE(status) << status.error().text(); }

class Generate : public ::testing::Test {
 protected:
  Generate() {
    write_weights();
    write_inputs();
    job_.weights = (folder_.path() / "weights").string();
    job_.model = test::small_model();
    job_.reference_image = (folder_.path() / "ref.png").string();
    job_.pose = (folder_.path() / "walk.jsonl").string();
    job_.output = (folder_.path() / "out/walk.mp4").string();
    job_.width = 34;
    job_.height = 45;
    job_.length = 7;
    job_.steps = 2;
    job_.context.frames = 4;
    job_.context.overlap = 2;
  }

  /// Moore's layout: a .pth per network.
  void write_weights() {
    const fs::path weights = folder_.path() / "weights";
    fs::create_directories(weights);
    const config::ModelJob model = test::small_model();
    const auto codec = models::build_codec(model, 1).value();
    check(codec->save(weights / "vae"));
    check(models::build_image_encoder(model, 1).value()->save(weights / "image_encoder"));
    models::BuildOptions options;
    options.motion = true;
    const auto set = models::build_networks(model, codec->channels(), options).value();
    using models::Contents;
    const auto save = [&](std::string_view network, const char* file, Contents contents) {
      check(
          models::save_network(*set.store, network, weights / file, models::SaveFormat::TorchZip, contents));
    };
    save(models::kReferenceUNet, "reference_unet.pth", Contents::Whole);
    save(models::kDenoisingUNet, "denoising_unet.pth", Contents::WithoutMotion);
    save(models::kDenoisingUNet, "motion_module.pth", Contents::MotionOnly);
    save(models::kPoseGuider, "pose_guider.pth", Contents::Whole);
  }

  /// Two puppets: one is the reference, the other one dances.
  void write_inputs() {
    const data::Puppet reference({.width = 48, .height = 64}, 1, 1),
        dancer({.width = 48, .height = 64}, 2, 2);
    check(image::write_png(folder_.path() / "ref.png", reference.render(0).picture));
    data::KeypointClip clip{48, 64, 30000, 1001, "puppet", {}};
    data::KeypointClip still = clip;
    for (int64_t f = 0; f < 9; ++f) clip.frames.push_back(dancer.keypoints(f));
    still.frames.push_back(reference.keypoints(0));
    check(data::write_keypoints(folder_.path() / "walk.jsonl", clip));
    check(data::write_keypoints(folder_.path() / "ref.jsonl", still));
  }

  nlohmann::json run(const Hooks& hooks = {}) const {
    const auto text = run_generate(job_, hooks);
    EXPECT_TRUE(text) << text.error().text();
    return text ? nlohmann::json::parse(*text) : nlohmann::json();
  }

  const test::TempFolder folder_;
  config::GenerateJob job_;
};

TEST_F(Generate, WritesBareAndPanelVideoOfTheSizeAndRateAskedFor) {
  job_.align = true;
  job_.reference_keypoints = (folder_.path() / "ref.jsonl").string();

  const nlohmann::json report = run();

  const auto bare = media::probe(job_.output, {.count_frames = true});
  ASSERT_TRUE(bare) << bare.error().text();
  EXPECT_EQ(bare->width, 34);
  // yuv420p has even sides: the writer repeats the last row.
  EXPECT_EQ(bare->height, 46);
  EXPECT_EQ(bare->num_frames, 7);
  EXPECT_EQ(bare->fps, (media::Rational{30000, 1001}));
  EXPECT_EQ(bare->metadata.at("seed"), "42");
  EXPECT_EQ(bare->metadata.at("weights_digest"), report.at("weights_digest"));
  EXPECT_THAT(bare->metadata.at("config"), HasSubstr("guidance_scale: 3.5"));
  const auto panels = media::probe(folder_.path() / "out/walk_panels.mp4");
  ASSERT_TRUE(panels) << panels.error().text();
  EXPECT_EQ(panels->width, 3 * 34 + 8);
  EXPECT_EQ(panels->height, 45 + 4 + 1);
  EXPECT_EQ(report.at("frames"), 7);
  // It said 45, which the file is not.
  EXPECT_EQ(report.at("width"), bare->width);
  EXPECT_EQ(report.at("height"), bare->height);
}

TEST_F(Generate, WritesThroughALink) {
  job_.write_panels = false;
  job_.output = folder_ / "link.mp4";
  fs::create_symlink("real.mp4", job_.output);

  const nlohmann::json report = run();

  EXPECT_EQ(report.at("output"), job_.output);
  EXPECT_TRUE(fs::is_symlink(job_.output));
  EXPECT_TRUE(media::probe(folder_ / "real.mp4"));
}

TEST_F(Generate, RefusesANameOfNoVideoBeforeItReadsAnything) {
  job_.output = folder_ / "walk.gif";
  job_.pose = folder_ / "absent.jsonl";

  const auto result = run_generate(job_);

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::InvalidArgument);
  EXPECT_THAT(result.error().message, HasSubstr(".mp4, .mov, .mkv or .avi"));
}

TEST_F(Generate, IsCutToThePosesAndStretchedByInterpolation) {
  job_.length = 100;
  job_.interpolation_factor = 2;
  job_.write_panels = false;

  const nlohmann::json report = run();

  EXPECT_EQ(report.at("frames"), 2 * 9 - 1);
  EXPECT_EQ(report.at("fps"), "60000/1001");
  EXPECT_TRUE(report.at("panels").is_null());
  EXPECT_FALSE(fs::exists(folder_.path() / "out/walk_panels.mp4"));
}

TEST_F(Generate, KeepsTheClipOfAnEarlierCallOfTheMinute) {
  job_.output_dir = (folder_.path() / "named").string();
  job_.output.clear();

  const std::string first = run().at("output"), second = run().at("output");

  EXPECT_NE(first, second);
  EXPECT_TRUE(fs::exists(first) && fs::exists(second));
}

TEST_F(Generate, StopsOnRequestAndLeavesNoVideo) {
  const auto stopped = run_generate(job_, {.should_stop = [] { return true; }});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::Cancelled);
  EXPECT_FALSE(fs::exists(job_.output));
}

TEST_F(Generate, NamesTheKeyThatBringsMissingMotionModules) {
  fs::remove(folder_.path() / "weights/motion_module.pth");
  const auto result = run_generate(job_);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().text(), HasSubstr("model.mm_path"));
}

TEST_F(Generate, SaysWhatAFolderOfWeightsLacks) {
  fs::remove(folder_.path() / "weights/pose_guider.pth");
  const auto result = run_generate(job_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::NotFound);
  EXPECT_THAT(result.error().text(), HasSubstr("pose_guider.pth"));
}

TEST_F(Generate, RefusesToAlignAVideo) {
  run();
  job_.pose = job_.output;
  job_.output = folder_ / "aligned.mp4";
  job_.align = true;
  const auto result = run_generate(job_);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().text(), HasSubstr("align needs key-points"));
}

}  // namespace
}  // namespace zt::generate
