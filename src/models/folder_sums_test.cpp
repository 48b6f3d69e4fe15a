// SPDX-License-Identifier: Apache-2.0
#include "models/folder_sums.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "support/pipes.hpp"
#include "support/temp_folder.hpp"

namespace zt::models {
namespace {

using ::testing::HasSubstr;

class FolderSums : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(files::write_atomic(folder_ / "config.json", "{}"));
    ASSERT_TRUE(files::write_atomic(folder_ / "weights", "0123456789"));
    ASSERT_TRUE(write_sums(folder_.path()));
  }
  test::TempFolder folder_;
};

TEST_F(FolderSums, HoldForWhatWasWritten) { EXPECT_TRUE(check_sums(folder_.path())); }

TEST_F(FolderSums, NameAFileThatChangedOrIsGone) {
  ASSERT_TRUE(files::write_atomic(folder_ / "weights", "0123456788"));
  const Status changed = check_sums(folder_.path());
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, ErrorCode::Corrupt);
  EXPECT_THAT(changed.error().text(), HasSubstr("weights is not what the run has made"));

  std::filesystem::remove(folder_ / "weights");
  EXPECT_EQ(check_sums(folder_.path()).error().code, ErrorCode::NotFound);
}

TEST_F(FolderSums, RefuseAListThatCannotBeRead) {
  ASSERT_TRUE(files::write_atomic(folder_ / "sums.json", "{\"version\":1,\"files\":{\"a\":3}}"));
  EXPECT_EQ(check_sums(folder_.path()).error().code, ErrorCode::Corrupt);
  ASSERT_TRUE(files::write_atomic(folder_ / "sums.json", "{\"version\":2}"));
  EXPECT_EQ(check_sums(folder_.path()).error().code, ErrorCode::Unsupported);
}

TEST_F(FolderSums, AreNotAwaitedFromAPipe) {
  std::filesystem::remove(folder_ / "sums.json");
  const std::filesystem::path pipe = test::make_pipe(folder_ / "sums.json");
  Status checked;

  EXPECT_TRUE(test::comes_back(pipe, [&] { checked = check_sums(folder_.path()); }));

  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::InvalidArgument);
}

TEST_F(FolderSums, PassWhereThereAreNone) {
  std::filesystem::remove(folder_ / "sums.json");
  EXPECT_TRUE(check_sums(folder_.path()));
}

}  // namespace
}  // namespace zt::models
