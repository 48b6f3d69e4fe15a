// SPDX-License-Identifier: Apache-2.0
#include "cli/job_folder.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/temp_folder.hpp"

namespace zt::cli {
namespace {

namespace fs = std::filesystem;

/// The system's folder for temporary files is the test's own.
class JobFolders : public testing::Test {
 protected:
  void SetUp() override { ::setenv("TMPDIR", temporary_.path().c_str(), 1); }
  void TearDown() override { ::unsetenv("TMPDIR"); }
  int64_t count() const { return std::distance(fs::directory_iterator(temporary_.path()), {}); }

  test::TempFolder temporary_;
};

TEST_F(JobFolders, AreRemovedAtTheEnd) {
  {
    const auto folder = JobFolder::make("generate");
    ASSERT_TRUE(folder) << folder.error().text();
    EXPECT_TRUE(folder->path().filename().string().starts_with("zoetrope-generate-"));
    EXPECT_EQ(count(), 1);
  }
  EXPECT_EQ(count(), 0);
}

TEST_F(JobFolders, OfAKilledProgramAreRemovedByTheNext) {
  const pid_t killed = ::fork();
  if (killed == 0) {
    const auto folder = JobFolder::make("eval");
    ::_exit(folder ? 0 : 1);  // without running destructors, as a kill would
  }
  int status = -1;
  ::waitpid(killed, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_EQ(count(), 1);

  const auto next = JobFolder::make("eval");

  ASSERT_TRUE(next);
  EXPECT_EQ(count(), 1);
  EXPECT_TRUE(fs::exists(next->path()));
}

TEST_F(JobFolders, OfTheLivingKeptOnesAndStrangersStay) {
  const auto living = JobFolder::make("cache");
  fs::path kept_path;
  {
    auto kept = JobFolder::make("generate");
    ASSERT_TRUE(living && kept);
    kept_path = kept->path();
    kept->keep();
  }
  fs::create_directories(temporary_ / "zoetrope-notes");

  const auto next = JobFolder::make("eval");

  EXPECT_TRUE(fs::exists(living->path()));
  EXPECT_TRUE(fs::exists(kept_path));
  EXPECT_TRUE(fs::exists(temporary_ / "zoetrope-notes"));
}

}  // namespace
}  // namespace zt::cli
