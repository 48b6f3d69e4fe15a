// SPDX-License-Identifier: Apache-2.0
#include "media/frame_tables.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "media/internal/frame_table.hpp"
#include "media/video_reader.hpp"
#include "media/video_writer.hpp"
#include "support/clips.hpp"
#include "support/temp_folder.hpp"

namespace zt::media {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kGop = 12;

// A film that is opened anew for each sample.
class Film : public testing::Test {
 protected:
  void write(int num_frames) {
    ASSERT_TRUE(write_video(path_, test::drifting_clip(64, 48, num_frames),
                            {.width = 64, .height = 48, .gop = kGop}));
  }
  // Of a reader that gives this picture.
  ReadReport report_of(int64_t number, const std::shared_ptr<FrameTables>& tables) {
    auto reader = VideoReader::open(path_, {.tables = tables});
    if (!reader) return ADD_FAILURE() << reader.error().text(), ReadReport();
    const auto pictures = reader->frames(std::span(&number, 1));
    if (!pictures) return ADD_FAILURE() << pictures.error().text(), ReadReport();
    EXPECT_EQ((*pictures)[0], read_frame(path_, number).value());
    return reader->report();
  }
  test::TempFolder folder_;
  fs::path path_ = folder_ / "film.mp4";
};

// Each went through all packets of the film before it decoded a few.
TEST_F(Film, TheNextReaderTakesTheTableOver) {
  write(240);
  const auto tables = std::make_shared<FrameTables>();

  EXPECT_GT(report_of(100, tables).packets, 240);
  for (const int64_t number : {0, 100, 239}) EXPECT_LE(report_of(number, tables).packets, 2 * kGop) << number;
}

TEST_F(Film, AFileThatWasReplacedHasAnotherTable) {
  write(30);
  const auto tables = std::make_shared<FrameTables>();
  report_of(20, tables);
  write(60);

  EXPECT_GT(report_of(50, tables).packets, 60);
  EXPECT_LE(report_of(50, tables).packets, 2 * kGop);
}

TEST_F(Film, ATableTakesNoMoreThanItsPictures) {
  write(130);
  const auto tables = std::make_shared<FrameTables>(130 * 8 + 11 * 16 + 600);  // and its name
  report_of(100, tables);

  EXPECT_LE(report_of(100, tables).packets, 2 * kGop) << "a vector's growth would have room for 256";
}

TEST_F(Film, ReadersOnManyThreadsShareThem) {
  write(60);
  const auto tables = std::make_shared<FrameTables>();
  std::vector<std::thread> threads;
  for (int64_t i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int64_t k = 0; k < 5; ++k) report_of(i + 11 * k, tables);
    });
  for (std::thread& thread : threads) thread.join();

  EXPECT_LE(report_of(59, tables).packets, 2 * kGop);
}

TEST(FrameTables, ThoseUsedLastAreKeptWithinTheLimit) {
  const auto of_frames = [](size_t count) {
    const auto table = std::make_shared<internal::FrameTable>();
    table->pts.resize(count);
    return table;
  };
  FrameTables tables(20'000);
  tables.keep("a", of_frames(1000));  // 8 bytes each
  tables.keep("b", of_frames(1000));
  ASSERT_TRUE(tables.find("a"));
  tables.keep("none", nullptr);
  tables.keep("c", of_frames(1000));

  EXPECT_EQ(tables.find("a").value()->pts.size(), 1000U);
  EXPECT_FALSE(tables.find("b"));
  EXPECT_EQ(tables.find("none").value(), nullptr);
  EXPECT_TRUE(tables.find("c"));
  tables.keep("huge", of_frames(10'000));
  EXPECT_FALSE(tables.find("huge"));
  EXPECT_TRUE(tables.find("c")) << "it would not have fitted alone";
}

}  // namespace
}  // namespace zt::media
