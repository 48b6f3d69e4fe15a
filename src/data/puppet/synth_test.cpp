// SPDX-License-Identifier: Apache-2.0
#include "data/puppet/synth.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/files/files.hpp"
#include "data/keypoints/keypoints.hpp"
#include "data/puppet/internal/synth_plan.hpp"
#include "media/video_reader.hpp"
#include "support/clips.hpp"
#include "support/folder_contents.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;

config::SynthJob small_job(const fs::path& folder) {
  config::SynthJob job;
  job.output = folder.string();
  job.num_train = 2;
  job.num_val_a = job.num_val_b = job.num_val_c = 1;
  job.num_frames = 4;
  job.threads = 2;
  return job;
}

TEST(SynthPlan, ValidationSplitsHideCharactersAndMotions) {
  config::SynthJob job;
  job.num_train = 10;
  job.num_val_a = job.num_val_b = job.num_val_c = 4;

  std::map<std::string, std::set<int64_t>> characters, motions;
  for (const internal::SynthClip& clip : internal::plan_synth(job)) {
    characters[clip.split].insert(clip.character);
    motions[clip.split].insert(clip.motion);
  }

  const auto share = [](const std::set<int64_t>& a, const std::set<int64_t>& b) {
    return std::any_of(a.begin(), a.end(), [&](int64_t x) { return b.count(x) > 0; });
  };
  EXPECT_FALSE(share(characters["val_a"], characters["train"]));
  EXPECT_TRUE(share(motions["val_a"], motions["train"]));
  EXPECT_TRUE(share(characters["val_b"], characters["train"]));
  EXPECT_FALSE(share(motions["val_b"], motions["train"]));
  for (const std::string other : {"train", "val_a", "val_b"}) {
    EXPECT_FALSE(share(characters["val_c"], characters[other])) << other;
    EXPECT_FALSE(share(motions["val_c"], motions[other])) << other;
  }
}

TEST(Synth, WritesPairsThatDecodeToThePuppet) {
  const test::TempFolder folder;
  config::SynthJob job = small_job(folder / "set");

  const auto report = synth(job);

  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->clips, 5);
  EXPECT_EQ(report->frames, 20);
  const Puppet puppet(internal::puppet_options(job), 1, 1);
  const auto read = [&](const char* kind) {
    return media::read_frame(folder.path() / "set" / kind / "train/000001.mp4", 2).value();
  };
  // Chroma is stored at half resolution, which costs the small coloured parts most.
  EXPECT_GT(test::psnr_of(read("clips"), puppet.render(2).picture), 27);
  const image::Image mask = read("clips_mask"), labels = read("clips_labels");
  const PuppetFrame truth = puppet.render(2);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      ASSERT_NEAR(*mask.at(x, y), *truth.mask.at(x, y), 2);
      ASSERT_EQ((*labels.at(x, y) + kLabelStep / 2) / kLabelStep, *truth.labels.at(x, y));
    }
  }
  const auto keypoints = read_keypoints(folder.path() / "set/clips_keypoints/train/000001.jsonl");
  ASSERT_TRUE(keypoints) << keypoints.error().text();
  EXPECT_EQ(keypoints->frames.size(), 4U);
}

TEST(Synth, GivesTheSameBytesForAnyNumberOfThreads) {
  const test::TempFolder folder;
  config::SynthJob job = small_job(folder / "a");
  job.masks = false;
  ASSERT_TRUE(synth(job));
  const auto with_two = test::contents_of(folder / "a");
  fs::remove_all(folder / "a");
  job.threads = 1;

  ASSERT_TRUE(synth(job));

  EXPECT_EQ(test::contents_of(folder / "a"), with_two);
}

TEST(Synth, MakesOnlyWhatAnInterruptionLeftOut) {
  const test::TempFolder folder;
  const config::SynthJob job = small_job(folder / "set");
  ASSERT_TRUE(synth(job));
  const auto whole = test::contents_of(folder / "set");
  fs::remove(folder / "set" / "clips_mask/val_b/000000.mp4");
  fs::remove(folder / "set" / "train_meta.json");

  const auto report = synth(job);

  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->kept, 4);
  EXPECT_EQ(test::contents_of(folder / "set"), whole);
}

TEST(Synth, TidiesUpAfterAKilledJob) {
  constexpr const char* kGone = ".zt-tmp.0123456789abcdef";
  const test::TempFolder folder;
  const config::SynthJob job = small_job(folder / "set");
  const fs::path set = job.output;
  const std::vector<fs::path> leftovers = {set / (std::string("synth.json") + kGone),
                                           set / "clips/train" / (std::string("000000.mp4") + kGone)};
  ASSERT_TRUE(files::make_folders(set));
  ASSERT_TRUE(files::write_atomic(leftovers[0], "half"));
  ASSERT_TRUE(synth(job)) << "killed before the folder was claimed";
  ASSERT_TRUE(files::write_atomic(leftovers[1], "half"));
  ASSERT_TRUE(synth(job));
  for (const fs::path& path : leftovers) EXPECT_FALSE(fs::exists(path)) << path;
}

TEST(Synth, SaysWhatHasNoRoomBeforeItWritesAnything) {
  const test::TempFolder folder;
  config::SynthJob job;
  job.output = (folder / "puppets").string();
  job.num_train = 400000;
  job.width = job.height = 4096;
  job.num_frames = 2;
  job.threads = 1;

  const auto report = synth(job);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Exhausted);
  EXPECT_NE(report.error().text().find("400048 clips that are not there yet"), std::string::npos)
      << report.error().text();
  EXPECT_FALSE(std::filesystem::exists(job.output));
}

TEST(Synth, SaysThatAClipDoesNotFitIntoMemoryBeforeItWritesAnything) {
  const test::TempFolder folder;
  config::SynthJob job;
  job.output = (folder / "puppets").string();
  job.num_train = 1;
  job.num_val_a = job.num_val_b = job.num_val_c = 0;
  job.width = job.height = 4096;
  job.num_frames = 10000;
  job.threads = 64;

  const auto report = synth(job);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Exhausted);
  // One clip is on one thread: 4 streams x 10000 x 4096 x 4096 x 3 B.
  EXPECT_NE(report.error().text().find("4 streams of 10000 frames of 4096 x 4096 on 1 thread"),
            std::string::npos)
      << report.error().text();
  EXPECT_NE(report.error().text().find("1.83 TiB"), std::string::npos) << report.error().text();
  EXPECT_FALSE(std::filesystem::exists(job.output));
}

TEST(Synth, RefusesTheFolderOfAnotherJob) {
  const test::TempFolder folder;
  config::SynthJob job = small_job(folder / "set");
  job.masks = false;
  ASSERT_TRUE(synth(job));
  job.seed = 2;

  const auto report = synth(job);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::AlreadyExists);
}

TEST(Synth, RefusesAFolderWithOtherThings) {
  const test::TempFolder folder;
  ASSERT_TRUE(files::write_atomic(folder / "thesis.txt", "precious"));

  const auto report = synth(small_job(folder.path()));

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::AlreadyExists);
}

TEST(Synth, TakesWhatTheConfigurationTakesAndNothingElse) {
  const test::TempFolder folder;
  config::SynthJob job = small_job(folder / "set");
  job.num_train = job.num_val_a = job.num_val_b = 0;
  job.num_val_c = 1;
  EXPECT_TRUE(synth(job)) << "a set for validation alone";

  job.width = 8;
  const auto report = synth(job);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::InvalidConfig);
  EXPECT_NE(report.error().message.find("width"), std::string::npos) << report.error().text();
}

// "Free space" was the advice.
TEST(Synth, SaysOfAClosedPlaceThatItIsClosed) {
  config::SynthJob job;
  job.output = "/sys/zoetrope-test";  // where nobody makes folders, and which has no free space

  const auto report = synth(job);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Permission) << report.error().text();
}

}  // namespace
}  // namespace zt::data
