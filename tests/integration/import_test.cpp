// SPDX-License-Identifier: Apache-2.0
// Weights that were exported and imported again make a run like the one they came from.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <vector>

#include "config/weights_folder.hpp"
#include "image/file.hpp"
#include "media/video_reader.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_run.hpp"
#include "support/worker_job.hpp"

namespace zt {
namespace {

namespace fs = std::filesystem;

std::map<std::string, std::string> contents(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& item : fs::recursive_directory_iterator(folder))
    if (item.is_regular_file())
      files[fs::relative(item.path(), folder).string()] = files::read(item.path()).value();
  return files;
}

class Import : public testing::Test {
 protected:
  void SetUp() override {
    test::write_puppet_clips(folder_.path(), 4);
    test::expect_ok(image::write_png(folder_ / "reference.png",
                                     test::value_of(media::read_frame(folder_ / "clip3.mp4", 0))));
    ASSERT_EQ(trained_.finish(), 0) << trained_.log();
  }

  std::map<std::string, std::string> exported(const contract::RunFolder& run, const std::string& name,
                                              config::ExportLayout layout) {
    config::ExportJob job{.run = run.path().string(), .output = (folder_ / name).string(), .layout = layout};
    test::run_worker_job("export", job, folder_.path());
    return contents(job.output);
  }

  /// A run of what lies in the folder, as `zoetrope ckpt import` sets it up.
  test::TinyRun imported(const std::string& weights) {
    std::vector<std::string> settings = settings_;
    for (const auto& [key, path] : test::value_of(config::find_weights(folder_ / weights)))
      settings.push_back("model." + key + "=" + path);
    return test::TinyRun(folder_.path(), "imported", settings);
  }

  std::vector<image::Image> clip_of(const contract::RunFolder& run) {
    config::GenerateJob job;
    job.run = run.path().string();
    job.reference_image = (folder_ / "reference.png").string();
    job.pose = (folder_ / "clip3.keypoints").string();
    job.output = (folder_ / "out.mp4").string();
    job.width = job.height = 32;
    job.length = 4;
    job.steps = 2;
    job.write_panels = false;
    test::run_worker_job("generate", job, folder_.path());
    auto video = test::value_of(media::VideoReader::open(job.output));
    return test::value_of(video.frames(std::array<int64_t, 4>{0, 1, 2, 3}));
  }

  const test::TempFolder folder_;
  const std::vector<std::string> settings_ = {"stage=2", "model.allow_random_start=true", "max_train_steps=2",
                                              "validation.every_steps=0", "optimizer.ema_decay=0.5"};
  test::TinyRun trained_{folder_.path(), "trained", settings_};
};

TEST_F(Import, GivesBackTheFilesAndThePictures) {
  const auto clip = clip_of(trained_.run());
  for (const auto layout : {config::ExportLayout::Moore, config::ExportLayout::Diffusers}) {
    const std::string name(config::name(layout));
    const auto before = exported(trained_.run(), name, layout);
    test::TinyRun run = imported(name);
    ASSERT_EQ(run.import(7), 0) << run.log();

    EXPECT_TRUE(contract::verify_checkpoint(run.run().checkpoints() / contract::checkpoint_name(7)));
    const auto after = exported(run.run(), name + "-again", layout);
    EXPECT_EQ(after.size(), before.size());
    for (const auto& [file, bytes] : before) EXPECT_TRUE(after.at(file) == bytes) << file;
    EXPECT_TRUE(clip_of(run.run()) == clip) << name;
  }
}

TEST_F(Import, GivesARunThatTrainsOn) {
  exported(trained_.run(), "weights", config::ExportLayout::Moore);
  test::TinyRun run = imported("weights");
  ASSERT_EQ(run.import(7), 0) << run.log();

  ASSERT_EQ(run.finish({"max_train_steps=8"}), 0) << run.log();

  EXPECT_TRUE(contract::verify_checkpoint(run.run().checkpoints() / contract::checkpoint_name(8)));
  for (const auto& [name, value] : run.state(8)) {
    if (name.starts_with("optimizer.step/")) {
      EXPECT_EQ(value, "1") << "the optimizer began anew";
    }
  }
}

TEST_F(Import, WantsEveryNetworkFromAFile) {
  exported(trained_.run(), "weights", config::ExportLayout::Moore);
  fs::remove(folder_ / "weights/motion_module.pth");
  test::TinyRun run = imported("weights");

  EXPECT_NE(run.import(0), 0);

  EXPECT_NE(run.log().find("model.mm_path"), std::string::npos) << run.log();
  EXPECT_TRUE(contract::list_checkpoints(run.run().checkpoints()).empty());
}

}  // namespace
}  // namespace zt
