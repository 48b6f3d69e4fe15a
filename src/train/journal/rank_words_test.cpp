// SPDX-License-Identifier: Apache-2.0
// What a rank's parts publish, and the evidence that a thread of its own gives while the main thread does
// something else.
#include "train/journal/rank_words.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "base/clock.hpp"
#include "base/signals.hpp"
#include "contract/words/flight.hpp"
#include "dist/group.hpp"
#include "support/temp_folder.hpp"
#include "train/journal/flight_dump.hpp"

namespace zt::train {
namespace {

using contract::Activity;
using contract::Phase;

std::shared_ptr<RankWords> words_in(const std::filesystem::path& page) {
  return std::make_shared<RankWords>(contract::ProgressWriter::open(page).value(), /*generation=*/3);
}

TEST(RankWords, TellTransitionsAndWaitsAndComeBackFromThem) {
  const test::TempFolder folder;
  const auto words = words_in(folder / "page");
  const auto doing = [&] { return contract::doing(*contract::read_progress(folder / "page")); };

  words->enter(Activity::Backward);
  EXPECT_EQ(doing(), "backward");
  words->work_on(Activity::Backward, "unit.7");
  EXPECT_EQ(doing(), "backward unit.7");
  words->wait_begins({.sequence = 7, .label = "unit.7 gradients"});
  EXPECT_EQ(doing(), "exchange unit.7 gradients");
  EXPECT_EQ(contract::read_progress(folder / "page")->exchange, 7U);
  words->wait_ends();
  EXPECT_EQ(doing(), "backward unit.7");
  words->update([](contract::Progress& now) { now.phase = Phase::Saving; });
  EXPECT_EQ(doing(), "saving");
  words->enter(Activity::Data);
  EXPECT_EQ(contract::read_progress(folder / "page")->phase, Phase::Training);
}

TEST(RankWords, LearnHowLongSilenceMayLast) {
  const test::TempFolder folder;
  const auto words = words_in(folder / "page");
  words->enter(Activity::Forward);
  EXPECT_EQ(contract::read_progress(folder / "page")->limit_s, 0);

  words->judge_silence({.shortest_s = 5, .unknown_s = 1800});
  for (int i = 0; i < 5; ++i) {
    words->enter(Activity::Backward);
    words->enter(Activity::Forward);
  }

  EXPECT_EQ(contract::read_progress(folder / "page")->limit_s, 5);
  EXPECT_EQ(contract::read_progress(folder / "page")->stop_limit_s, 5);
  words->judge_silence({});
  EXPECT_EQ(contract::read_progress(folder / "page")->limit_s, 0);
  EXPECT_EQ(contract::read_progress(folder / "page")->stop_limit_s, 0);
}

// The bound catches a slow system call among what a transition does, on the busiest machine; the
// measured cost is printed.
TEST(RankWords, ATransitionIsCheap) {
  const test::TempFolder folder;
  const auto words = words_in(folder / "page");
  words->judge_silence({.shortest_s = 5, .unknown_s = 1800});
  constexpr int kRounds = 20000;
  double best_s = 1;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const clock::Stopwatch watch;
    for (int i = 0; i < kRounds; ++i) {
      words->wait_begins({.sequence = 7, .label = "denoising_unet.down_blocks.0.1 gradients"});
      words->wait_ends();
    }
    best_s = std::min(best_s, watch.seconds() / (2 * kRounds));
  }
  std::printf("a transition: %.0f ns\n", best_s * 1e9);
  EXPECT_LT(best_s, 20e-6);
}

TEST(FlightDump, GivesARecordWhenAskedWhileTheMainThreadIsBusy) {
  signals::install(signals::OnNow::Report);
  const test::TempFolder folder;
  const auto words = words_in(folder / "page");
  const auto group = dist::form_group({}, clock::in(std::chrono::seconds(1))).value();
  FlightDump dump(folder / "flight", words);
  dump.follow(*group);
  ASSERT_TRUE(group->barrier("here").wait(clock::in(std::chrono::seconds(1))));
  words->enter(Activity::Backward);

  ::raise(SIGUSR2);

  const clock::Deadline deadline = clock::in(std::chrono::seconds(10));
  while (!contract::read_flight(folder / "flight") && clock::left(deadline).count() > 0)
    std::this_thread::yield();
  const auto flight = contract::read_flight(folder / "flight");
  ASSERT_TRUE(flight) << flight.error().text();
  EXPECT_EQ(flight->doing, "backward");
  EXPECT_EQ(flight->exchanges.back().label, "here");
  EXPECT_EQ(flight->exchanges.back().state, contract::ExchangeState::Complete);
}

TEST(FlightDump, WritesNothingWithoutAGroup) {
  const test::TempFolder folder;
  FlightDump dump(folder / "flight", words_in(folder / "page"));
  EXPECT_TRUE(dump.write("why"));
  EXPECT_FALSE(std::filesystem::exists(folder / "flight"));
}

}  // namespace
}  // namespace zt::train
