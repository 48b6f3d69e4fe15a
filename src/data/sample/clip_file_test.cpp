// SPDX-License-Identifier: Apache-2.0
#include "data/sample/clip_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "data/sample/load_sample.hpp"
#include "support/clip_set.hpp"
#include "support/closed_folder.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ClipOnADisk : public testing::Test {
 protected:
  ClipOnADisk() {
    fs::create_directories(disk_);
    index_ = test::write_clip_set(disk_, 2, 8);
    plan_.target_frames = {0};
  }
  Error error() const {
    const auto sample = load_sample(index_, plan_, {});
    return sample ? Error{ErrorCode::Internal, "it was read", {}} : sample.error();
  }

  test::TempFolder folder_;
  fs::path disk_ = folder_ / "mnt/films";
  ClipIndex index_;
  SamplePlan plan_;
};

TEST_F(ClipOnADisk, AFileThatWasRemovedIsTheClipsOwnFault) {
  fs::remove(disk_ / "clip-0.mp4");

  EXPECT_EQ(error().code, ErrorCode::NotFound);
  EXPECT_TRUE(is_fault_of_clip(error()));
}

// Each clip was named as broken and another put in its place.
TEST_F(ClipOnADisk, AFolderThatIsGoneOrEmptyIsTheDisksFault) {
  for (const bool has_mount_point : {false, true}) {
    fs::remove_all(disk_);
    if (has_mount_point) fs::create_directory(disk_);

    EXPECT_EQ(error().code, ErrorCode::Unavailable);
    EXPECT_FALSE(is_fault_of_clip(error()));
    EXPECT_THAT(error().text(), HasSubstr("clip-0.mp4"));
    EXPECT_THAT(error().text(), HasSubstr("is the disk there? Mount it"));
  }
}

TEST_F(ClipOnADisk, SoItIsWhereKeypointsAreNotThere) {
  const fs::path elsewhere = folder_ / "poses";
  index_.clips[0].keypoints = (elsewhere / "clip-0.jsonl").string();

  EXPECT_EQ(error().code, ErrorCode::Unavailable);
}

TEST_F(ClipOnADisk, AClosedFileIsTheClipsFaultAndAClosedFolderIsNot) {
  {
    const test::ClosedFolder closed(folder_, disk_ / "clip-0.mp4");
    if (!closed.is_closed()) GTEST_SKIP() << "nothing can be closed to this process";
    EXPECT_EQ(error().code, ErrorCode::Permission);
    EXPECT_TRUE(is_fault_of_clip(error()));
  }
  const test::ClosedFolder closed(folder_, disk_);
  EXPECT_EQ(error().code, ErrorCode::Unavailable);
}

TEST(IsFaultOfClip, ADiskThatErrsIsNone) {
  EXPECT_FALSE(is_fault_of_clip({ErrorCode::Unavailable, "cannot read a.mp4: Input/output error", {}}));
  EXPECT_TRUE(is_fault_of_clip({ErrorCode::Corrupt, "a.mp4 ends early", {}}));
}

}  // namespace
}  // namespace zt::data
