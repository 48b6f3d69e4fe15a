// SPDX-License-Identifier: Apache-2.0
// Indexes that lie behind links, and in folders that were moved.
#include <filesystem>

#include "data/sample/frame_source.hpp"
#include "support/ingest_fixture.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;

class LinkedFolder : public IngestTest {
 protected:
  LinkedFolder() {
    job_.input = path("films").string();
    job_.output = path("scratch/me/index").string();
    job_.extract_pose = false;
  }
  // From the index as training reads it.
  bool opens(const std::string& index_folder) const {
    const auto index = read_index(path(index_folder) / "index.jsonl");
    if (!index || index->clips.size() != 1) return false;
    return FrameSource::open(index->path(index->clips[0].video)).has_value();
  }
};

// Each "../" was taken from the names: the index named files beside the link's target, which are not there.
TEST_F(LinkedFolder, TheVideosOfAnIndexBehindALinkAreFound) {
  write_video("films/a.mp4", test::drifting_clip(64, 48, 10));
  fs::create_directories(path("disks/7/users"));
  fs::create_directory_symlink(path("disks/7/users"), path("scratch"));

  EXPECT_EQ(run().clips, 1);

  EXPECT_TRUE(opens("scratch/me/index"));
  EXPECT_TRUE(opens("disks/7/users/me/index"));
}

TEST_F(LinkedFolder, WhatMovesWithItsIndexKeepsItsPlaceBesideIt) {
  write_video("disk/films/a.mp4", test::drifting_clip(64, 48, 10));
  fs::create_directory_symlink(path("disk"), path("scratch"));
  job_.input = path("scratch/films").string();
  job_.output = path("scratch/index").string();

  run();

  EXPECT_EQ(clips().at(0).video, "../films/a.mp4");
}

TEST_F(LinkedFolder, AnIndexIsMadeAfreshWhereItsFolderWasMoved) {
  write_video("films/a.mp4", test::drifting_clip(64, 48, 10));
  run();
  fs::create_directories(path("elsewhere"));
  fs::rename(path("scratch/me/index"), path("elsewhere/index"));
  EXPECT_FALSE(opens("elsewhere/index"));
  job_.output = path("elsewhere/index").string();

  EXPECT_EQ(run().unchanged, 0);

  EXPECT_TRUE(opens("elsewhere/index"));
}

// The videos are there beside the moved index too, so that its lines counted, with a place where no mask is.
TEST_F(LinkedFolder, AnIndexIsMadeAfreshWhereWhatBelongsToItsVideosIsNotBesideIt) {
  const std::vector<std::string> parts{"_dwpose", "_mask", "_labels", "_background"};
  write_video("disk/set/a.mp4", test::drifting_clip(64, 48, 10));
  write_video("disk/set_dwpose/a.mp4", poses(10));
  write_video("disk/set_mask/a.mp4", test::drifting_clip(64, 48, 10));
  write_video("disk/set_labels/a.mp4", test::drifting_clip(64, 48, 10));
  fs::create_directories(path("disk/set_background"));
  ASSERT_TRUE(image::write_png(path("disk/set_background/a.png"), test::drifting_clip(64, 48, 1).front()));
  job_.input = path("disk/set").string();
  for (const std::string& missing : parts) {
    job_.output = path("disk/index").string();
    run();
    const std::string moved = "moved" + missing;
    fs::create_directories(path(moved));
    fs::create_directory_symlink(path("disk/set"), path(moved) / "set");
    for (const std::string& part : parts)
      if (part != missing)
        fs::create_directory_symlink(path("disk/set" + part), path(moved) / ("set" + part));
    fs::rename(path("disk/index"), path(moved) / "index");
    job_.output = (path(moved) / "index").string();

    EXPECT_EQ(run().unchanged, 0) << missing;

    for (const ClipRecord& clip : clips())
      for (const std::string* file :
           {&clip.video, &clip.pose_video, &clip.mask, &clip.labels, &clip.background})
        EXPECT_TRUE(!file->empty() && fs::exists(path(moved) / "index" / *file)) << missing << ": " << *file;
  }
}

}  // namespace
}  // namespace zt::data
