// SPDX-License-Identifier: Apache-2.0
#include "contract/words/progress.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <fstream>
#include <thread>

#include "base/files/files.hpp"
#include "contract/exit_codes.hpp"
#include "support/pipes.hpp"
#include "support/temp_folder.hpp"

namespace zt::contract {
namespace {

Progress at_step(int64_t step) {
  Progress p;
  p.generation = 2;
  p.phase = Phase::Training;
  p.step = step;
  p.total_steps = 100;
  p.loss = static_cast<double>(step) / 8;
  p.action = "step " + std::to_string(step);
  return p;
}

TEST(ProgressWords, NewestStateIsRead) {
  const test::TempFolder folder;
  auto writer = ProgressWriter::open(folder / "progress");
  ASSERT_TRUE(writer);

  writer->publish(at_step(1));
  writer->publish(at_step(2));
  const auto read = read_progress(folder / "progress");

  ASSERT_TRUE(read);
  EXPECT_EQ(read->step, 2);
  EXPECT_EQ(read->loss, 0.25);
  EXPECT_EQ(read->phase, Phase::Training);
  EXPECT_EQ(read->action, "step 2");
  EXPECT_GT(read->heartbeat_s, 1.7e9);
}

TEST(ProgressWords, WorkerTakesOverThePageOfItsLauncher) {
  const test::TempFolder folder;
  auto launcher = ProgressWriter::open(folder / "progress");
  launcher->publish(at_step(0));
  auto worker = ProgressWriter::open(folder / "progress");

  EXPECT_EQ(read_progress(folder / "progress")->step, 0);
  worker->publish(at_step(9));
  EXPECT_EQ(read_progress(folder / "progress")->step, 9);
}

TEST(ProgressWords, LongActionsAreCut) {
  const test::TempFolder folder;
  auto writer = ProgressWriter::open(folder / "progress");
  Progress p;
  p.action = std::string(200, 'a');

  writer->publish(p);

  EXPECT_EQ(read_progress(folder / "progress")->action, std::string(63, 'a'));
}

TEST(ProgressWords, SayWhatAStepDoes) {
  const test::TempFolder folder;
  auto writer = ProgressWriter::open(folder / "progress");
  Progress p;
  p.activity = Activity::Exchange;
  p.unit = std::string(60, 'u') + "gradients";
  p.exchange = 1234567890123;
  p.limit_s = 5.5;
  p.stop_limit_s = 4.5;

  writer->publish(p);
  const auto read = read_progress(folder / "progress");

  ASSERT_TRUE(read);
  EXPECT_EQ(read->activity, Activity::Exchange);
  EXPECT_EQ(doing(*read), "exchange " + read->unit);
  EXPECT_EQ(read->unit, std::string(60, 'u') + "gra");
  EXPECT_EQ(read->exchange, 1234567890123U);
  EXPECT_EQ(read->limit_s, 5.5);
  EXPECT_EQ(read->stop_limit_s, 4.5);
}

TEST(ProgressWords, OfVersion1AreReadAndOfALaterOneNot) {
  const test::TempFolder folder;
  auto writer = ProgressWriter::open(folder / "progress");
  writer->publish(at_step(4));
  std::string bytes = *files::read(folder / "progress");
  for (const char version : {'\1', '\3'}) {
    bytes[8] = version;  // word 1 (docs/formats/progress.md)
    std::ofstream(folder / "other", std::ios::binary) << bytes;

    EXPECT_EQ(read_progress(folder / "other").has_value(), version == '\1');
  }
}

TEST(ProgressWords, AbsentEmptyAndGarbageFilesGiveNothing) {
  const test::TempFolder folder;
  std::ofstream(folder / "empty").flush();
  std::ofstream(folder / "garbage") << std::string(5000, 'x');
  auto unpublished = ProgressWriter::open(folder / "unpublished");

  EXPECT_FALSE(read_progress(folder / "absent"));
  EXPECT_FALSE(read_progress(folder / "empty"));
  EXPECT_FALSE(read_progress(folder / "garbage"));
  EXPECT_FALSE(read_progress(folder / "unpublished"));
}

TEST(ProgressWords, APipeIsNotWaitedFor) {
  const test::TempFolder folder;
  const auto pipe = test::make_pipe(folder / "progress");

  EXPECT_TRUE(test::comes_back(pipe, [&] { EXPECT_FALSE(read_progress(pipe)); }));
  EXPECT_TRUE(test::comes_back(pipe, [&] { EXPECT_TRUE(read_samples_in_hand(pipe).empty()); }));
}

TEST(ProgressWords, AWriterStartsOverOnGarbage) {
  const test::TempFolder folder;
  std::ofstream(folder / "progress") << std::string(5000, 'x');

  auto writer = ProgressWriter::open(folder / "progress");
  ASSERT_TRUE(writer);
  writer->publish(at_step(4));

  EXPECT_EQ(read_progress(folder / "progress")->step, 4);
}

TEST(ProgressWords, ADamagedSlotIsNotShown) {
  const test::TempFolder folder;
  auto writer = ProgressWriter::open(folder / "progress");
  writer->publish(at_step(4));
  std::string bytes = *files::read(folder / "progress");
  for (size_t i = 64; i < bytes.size() && i < 64 + 2 * 256; ++i) bytes[i] = static_cast<char>(bytes[i] ^ 1);
  std::ofstream(folder / "damaged", std::ios::binary) << bytes;

  EXPECT_FALSE(read_progress(folder / "damaged"));
}

TEST(ProgressWords, AReaderNeverSeesHalfOfTwoStates) {
  const test::TempFolder folder;
  auto writer = ProgressWriter::open(folder / "progress");
  writer->publish(at_step(0));
  std::atomic<bool> done{false};
  std::thread publishing([&] {
    for (int64_t step = 1; step < 20000; ++step) writer->publish(at_step(step));
    done = true;
  });
  int64_t last = 0;
  while (!done) {
    const auto read = read_progress(folder / "progress");
    if (!read) continue;  // the writer was faster than every try
    EXPECT_GE(read->step, last);
    EXPECT_EQ(read->loss, static_cast<double>(read->step) / 8);
    EXPECT_EQ(read->action, "step " + std::to_string(read->step));
    last = read->step;
  }
  publishing.join();
  EXPECT_EQ(read_progress(folder / "progress")->step, 19999);
}

TEST(SamplesInHand, AreKnownAfterTheProcessThatTookThem) {
  const test::TempFolder folder;
  auto writer = ProgressWriter::open(folder / "progress");
  writer->publish(at_step(4));
  {
    const auto hand = SamplesInHand::open(folder / "progress");
    ASSERT_TRUE(hand);
    (*hand)->take({0, 5});
    (*hand)->take({17, 3});
    (*hand)->take({18, 4, true});
    (*hand)->put_back({17, 3});
    (*hand)->put_back({17, 3});
    (*hand)->put_back({99, 9});
  }

  EXPECT_EQ(read_samples_in_hand(folder / "progress"), (std::set<SampleInHand>{{0, 5}, {18, 4, true}}));
  EXPECT_EQ(read_progress(folder / "progress")->step, 4) << "the words are where they were";
  EXPECT_TRUE(SamplesInHand::open(folder / "progress")) << "the next process";
  EXPECT_TRUE(read_samples_in_hand(folder / "progress").empty());
}

TEST(SamplesInHand, MoreThanThereIsRoomForAreNotNoted) {
  const test::TempFolder folder;
  const auto hand = *SamplesInHand::open(folder / "progress");
  for (uint64_t i = 0; i < SamplesInHand::kMost + 2; ++i) hand->take({i, 1});
  EXPECT_EQ(read_samples_in_hand(folder / "progress").size(), SamplesInHand::kMost);
  hand->put_back({0, 1});
  hand->take({1000, 1});

  EXPECT_TRUE(read_samples_in_hand(folder / "progress").contains({1000, 1}));
}

TEST(SamplesInHand, NothingIsKnownOfADamagedPage) {
  const test::TempFolder folder;
  EXPECT_TRUE(read_samples_in_hand(folder / "absent").empty());
  std::ofstream(folder / "short") << "x";
  EXPECT_TRUE(read_samples_in_hand(folder / "short").empty());
  std::ofstream(folder / "other") << std::string(4096, 'x');
  EXPECT_TRUE(read_samples_in_hand(folder / "other").empty());
}

TEST(ExitCodes, GoToAnErrorAndBack) {
  EXPECT_EQ(exit_code(Error{ErrorCode::Cancelled, ""}), 75);
  EXPECT_EQ(exit_code(Error{ErrorCode::InvalidConfig, ""}), 2);
  EXPECT_EQ(error_of_exit(75), ErrorCode::Cancelled);
  EXPECT_EQ(error_of_exit(2), ErrorCode::InvalidConfig);
  EXPECT_EQ(error_of_exit(72), ErrorCode::Exhausted);
  EXPECT_FALSE(error_of_exit(0));
  EXPECT_FALSE(error_of_exit(1));
  EXPECT_FALSE(error_of_exit(139));
}

}  // namespace
}  // namespace zt::contract
