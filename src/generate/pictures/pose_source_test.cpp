// SPDX-License-Identifier: Apache-2.0
#include "generate/pictures/pose_source.hpp"

#include <gtest/gtest.h>

#include "support/pipes.hpp"
#include "support/temp_folder.hpp"

namespace zt::generate {
namespace {

TEST(PoseSource, APipeIsRefusedAtOnce) {
  const test::TempFolder folder;
  const std::filesystem::path pipe = test::make_pipe(folder / "pose.mp4");
  Error error;

  EXPECT_TRUE(test::comes_back(pipe, [&] { error = PoseSource::open(pipe, {}).error(); }));

  EXPECT_EQ(error.code, ErrorCode::InvalidArgument);
  EXPECT_NE(error.message.find("pose.mp4 is not a regular file"), std::string::npos) << error.message;
}

}  // namespace
}  // namespace zt::generate
