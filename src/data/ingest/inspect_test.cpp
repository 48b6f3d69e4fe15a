// SPDX-License-Identifier: Apache-2.0
#include "data/ingest/inspect.hpp"

#include <gmock/gmock.h>

#include "support/ingest_fixture.hpp"

namespace zt::data {
namespace {

using ::testing::HasSubstr;

class Inspect : public IngestTest {
 protected:
  Inspect() {
    for (const char* name : {"a.mp4", "b.mp4", "c.mp4"}) write_pair(name);
    run();
  }
  ClipIndex index() const { return read_index(path(".zoetrope/index.jsonl")).value(); }
  image::Image draw(const SheetOptions& options) const { return contact_sheet(index(), options).value(); }
};

TEST_F(Inspect, SumsUpTheIndex) {
  const IndexSummary summary = summarise(index(), 2);

  EXPECT_EQ(summary.clips, 3);
  EXPECT_EQ(summary.frames, 30);
  EXPECT_NEAR(summary.seconds, 3 * 10 / 25.0, 1e-9);
  EXPECT_THAT(summary.text, HasSubstr("train: 3"));
  EXPECT_THAT(summary.text, HasSubstr("64 x 48: 3"));
  EXPECT_THAT(summary.text, HasSubstr("and 1 more"));
  EXPECT_THAT(summary.json, HasSubstr(R"("clips":3,"frames":30,)"));
  EXPECT_THAT(summary.json, HasSubstr(R"("splits":{"train":3},"sizes":{"64 x 48":3},"rates":{"25 fps":3},)"));
}

TEST_F(Inspect, AnEmptyIndexHasASummaryToo) { EXPECT_EQ(summarise({}).clips, 0); }

// It ended the program as a bug of ours.
TEST_F(Inspect, AnEmptyIndexHasNoSheet) {
  const auto sheet = contact_sheet({});

  ASSERT_FALSE(sheet);
  EXPECT_EQ(sheet.error().code, ErrorCode::InvalidArgument);
}

TEST_F(Inspect, DrawsFramesAbovePoses) {
  const image::Image sheet = draw({.max_clips = 1, .frames = 3, .tile = 64});

  // One strip: 4 + 12 above, pictures of 48, a gap of 4, poses of 48 and a gap; tiles of 64 with gaps of 4.
  ASSERT_EQ(sheet.width, 3 * 68 + 4);
  ASSERT_EQ(sheet.height, 16 + 48 + 4 + 48 + 4);
  const image::Image first = image::crop(sheet, 4, 16, 64, 48);
  EXPECT_GT(test::psnr_of(first, test::drifting_frame(64, 48, 0)), 30);
  const image::Image last = image::crop(sheet, 4 + 2 * 68, 16, 64, 48);
  EXPECT_GT(test::psnr_of(last, test::drifting_frame(64, 48, 9)), 30);
  const image::Image pose = image::crop(sheet, 4, 16 + 52, 64, 48);
  EXPECT_GT(test::psnr_of(pose, poses(1)[0]), 20);
}

TEST_F(Inspect, AClipThatCannotBeReadSaysSo) {
  const int whole = draw({.max_clips = 3, .frames = 2, .tile = 48}).height;
  std::filesystem::remove(path("set/b.mp4"));

  const image::Image sheet = draw({.max_clips = 3, .frames = 2, .tile = 48});

  EXPECT_LT(sheet.height, whole);
}

}  // namespace
}  // namespace zt::data
