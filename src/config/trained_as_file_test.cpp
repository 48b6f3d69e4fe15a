// SPDX-License-Identifier: Apache-2.0
#include "config/pose_drawing_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files/files.hpp"
#include "support/temp_folder.hpp"

namespace zt::config {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

/// A folder of weights.
class PoseDrawingFile : public testing::Test {
 protected:
  void write(const std::string& text) {
    ASSERT_TRUE(files::write_atomic(pose_drawing_file(folder_.path()), text));
  }

  const test::TempFolder folder_;
};

TEST_F(PoseDrawingFile, SaysWhatWasLeftOpen) {
  write(pose_drawing_json({.pose_style = PoseStyle::Puppet, .draw_hands = true, .draw_face = false}));
  auto generate = load<GenerateJob>({}).value();
  auto train = load<TrainJob>({{}, {"data.draw_face=true"}}).value();

  const auto lines = take_pose_drawing(folder_.path(), generate);
  ASSERT_TRUE(lines) << lines.error().text();
  ASSERT_TRUE(take_pose_drawing(folder_.path(), train));

  EXPECT_EQ(generate.job.pose_style, PoseStyle::Puppet);
  EXPECT_TRUE(generate.job.draw_hands);
  EXPECT_FALSE(generate.job.draw_face);
  EXPECT_THAT(*lines, ElementsAre("pose_style=puppet, draw_face=false, as " +
                                  pose_drawing_file(folder_.path()).string() + " says"));
  EXPECT_THAT(generate.origins.at("pose_style"), EndsWith("pose_drawing.json:2"));
  EXPECT_EQ(train.job.data.pose_style, PoseStyle::Puppet);
  EXPECT_TRUE(train.job.data.draw_face) << "written by somebody";
}

// As of published weights.
TEST_F(PoseDrawingFile, ThatIsNotThereChangesNothing) {
  auto resolved = load<GenerateJob>({}).value();

  EXPECT_THAT(take_pose_drawing(folder_.path(), resolved).value(), IsEmpty());

  EXPECT_EQ(resolved.job.pose_style, PoseStyle::Reference);
  EXPECT_EQ(resolved.origins.at("pose_style"), "default");
}

// An unknown way to draw would guide the networks by other pictures, silently.
TEST_F(PoseDrawingFile, OfAnythingElseIsRefusedAtItsPlace) {
  for (const auto& [text, told] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"pose_style": "oil"})", "reference | puppet"},
           {R"({"limb_radius": 2})", "unknown key"},
           {"{", "pose_drawing.json:1"},
           {"[1]", "keys and values"}}) {
    write(text);
    auto resolved = load<GenerateJob>({}).value();

    const auto lines = take_pose_drawing(folder_.path(), resolved);

    ASSERT_FALSE(lines) << text;
    EXPECT_EQ(lines.error().code, ErrorCode::InvalidConfig);
    EXPECT_THAT(lines.error().message, HasSubstr(told));
  }
}

}  // namespace
}  // namespace zt::config
