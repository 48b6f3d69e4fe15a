// SPDX-License-Identifier: Apache-2.0
// The guard with a real process; what hangs is in cli/failure/hang_rule_test.cpp.
#include "cli/ranks/hang_guard.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "cli/ranks/worker_group.hpp"
#include "support/temp_folder.hpp"

namespace zt::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// A rank that sleeps for good, and leaves a file when it is asked for its flight record.
class HangGuardTest : public ::testing::Test {
 protected:
  HangGuardTest() {
    std::ofstream(folder_ / "worker") << "#!/bin/sh\ntrap 'echo > " << asked_.string() << "' USR2\n"
                                      << "echo > " << ready_.string() << "\n"
                                      << "while :; do sleep 60 & wait $!; done\n";
    fs::permissions(folder_ / "worker", fs::perms::owner_all);
    ::setenv("ZT_WORKER", (folder_ / "worker").c_str(), 1);
    session_.call.progress = folder_ / "progress";
    session_.log = folder_ / "log";
  }
  ~HangGuardTest() override { ::unsetenv("ZT_WORKER"); }

  /// Looks after the ranks until the file is there.
  static void await(const fs::path& file, WorkerGroup& workers) {
    for (const auto until = clock::in(20s); !fs::exists(file) && clock::left(until) > 0ms;)
      ASSERT_TRUE(workers.look(5ms));
    ASSERT_TRUE(fs::exists(file));
  }

  void say(const WorkerGroup& workers, int64_t step) {
    contract::Progress words;
    words.generation = 1;
    words.pid = workers.pid_of(0);
    words.phase = contract::Phase::Training;
    words.step = step;
    words.limit_s = 0.01;
    contract::ProgressWriter::open(session_.call.progress).value().publish(words);
  }

  const test::TempFolder folder_;
  const fs::path ready_ = folder_ / "ready", asked_ = folder_ / "asked";
  WorkerSession session_;
};

TEST_F(HangGuardTest, KillsARankThatHangs) {
  WorkerGroup workers = WorkerGroup::make(session_).value();
  ASSERT_TRUE(workers.start(0, 1, 0));
  await(ready_, workers);
  say(workers, 1);

  for (const auto until = clock::in(20s); !workers.end_of(0) && clock::left(until) > 0ms;)
    ASSERT_TRUE(workers.look(20ms));

  ASSERT_TRUE(workers.end_of(0));
  EXPECT_EQ(workers.end_of(0)->exit.signal, SIGKILL);
  EXPECT_NE(workers.take_news().find("rank 0"), std::string::npos);
}

// Of the ranks of another host nobody here has asked for a record.
TEST_F(HangGuardTest, BlamesNoRankOfAnotherHost) {
  session_.call.place = {.rank = 1, .ranks = 2, .rendezvous = "", .host = "b"};
  WorkerGroup workers = WorkerGroup::make(session_).value();
  ASSERT_TRUE(workers.start(0, 1, 0));
  await(ready_, workers);
  say(workers, 1);
  std::ofstream(contract::Attempt{session_.call.generation, folder_.path()}.flight(1))
      << R"({"format":"zoetrope-flight","version":1,"generation":1,"rank":1,"host":"b","groups":{"world":[0,1]},)"
      << R"("step":1,"doing":"exchange","reason":"asked","time_s":1})"
      << "\n"
      << R"({"group":"world","seq":3,"op":"barrier","label":"x","bytes":0,"print":1,"state":"started",)"
      << R"("started_s":1,"ended_s":0})"
      << "\n";

  for (const auto until = clock::in(20s); !workers.end_of(0) && clock::left(until) > 0ms;)
    ASSERT_TRUE(workers.look(20ms));

  const std::string news = workers.take_news();
  EXPECT_NE(news.find("rank 1 on b hangs"), std::string::npos) << news;
  EXPECT_EQ(news.find("has not entered"), std::string::npos) << news;
}

TEST_F(HangGuardTest, SparesARankThatHasGoneOnMeanwhile) {
  WorkerGroup workers = WorkerGroup::make(session_).value();
  ASSERT_TRUE(workers.start(0, 1, 0));
  await(ready_, workers);
  say(workers, 1);
  await(asked_, workers);

  // Further words, each before the limit of those before it could be seen.
  for (const auto until = clock::in(600ms); clock::left(until) > 0ms;) {
    say(workers, 2);
    ASSERT_TRUE(workers.look(5ms));
  }

  EXPECT_FALSE(workers.end_of(0));
  EXPECT_EQ(workers.take_news(), "");
}

}  // namespace
}  // namespace zt::cli
