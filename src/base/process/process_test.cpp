// SPDX-License-Identifier: Apache-2.0
#include "base/process/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/files/files.hpp"
#include "base/process/standard_streams.hpp"
#include "base/signals.hpp"
#include "support/temp_folder.hpp"

namespace zt::process {
namespace {

using namespace std::chrono_literals;

SpawnOptions shell(const std::string& script) {
  SpawnOptions options;
  options.argv = {"sh", "-c", script};
  return options;
}

// Polls a condition that another process brings about; false after 5 s.
template <class Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    ::usleep(10000);
  }
  return false;
}

TEST(Process, RunCollectsBothStreamsAndTheExitCode) {
  const auto output = run(shell("printf out; printf err >&2; exit 3"), 5s);

  ASSERT_TRUE(output);
  EXPECT_EQ(output->out, "out");
  EXPECT_EQ(output->err, "err");
  EXPECT_EQ(output->exit.code, 3);
  EXPECT_EQ(output->exit.text(), "exit code 3");
}

TEST(Process, RunDropsWhatExceedsTheLimit) {
  const auto output = run(shell("head -c 100000 /dev/zero | tr '\\0' x"), 5s, 1000);

  ASSERT_TRUE(output);
  EXPECT_EQ(output->out, std::string(1000, 'x'));
}

TEST(Process, AChildReadsWhatIsWrittenToIt) {
  test::TempFolder folder;
  SpawnOptions options = shell("cat > got");
  options.working_folder = folder.path();
  options.has_input = true;
  auto child = Child::spawn(options);
  ASSERT_TRUE(child);

  EXPECT_TRUE(child->write_in("one\n"));
  EXPECT_TRUE(child->write_in("two\n"));

  EXPECT_TRUE(eventually([&] { return files::read(folder / "got").value_or("") == "one\ntwo\n"; }));
}

TEST(Process, AReleasedChildOutlivesItsObject) {
  test::TempFolder folder;
  SpawnOptions options = shell("sleep 0.05; touch here");
  options.working_folder = folder.path();
  options.parent_death_signal = 0;
  pid_t pid = 0;
  {
    auto child = Child::spawn(options);
    ASSERT_TRUE(child);
    pid = child->pid();
    std::move(*child).release();
  }

  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(folder / "here"); }));
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
}

// A child that inherited the stream instead would write where it was told not to.
TEST(Process, AStreamThatCannotBeDiscardedIsAnError) {
  SpawnOptions options = shell("true");
  options.out = Stream::discard();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest_free = ::dup(1);
  ::close(lowest_free);
  rlimit none_left = before;
  none_left.rlim_cur = static_cast<rlim_t>(lowest_free);

  ::setrlimit(RLIMIT_NOFILE, &none_left);
  const auto child = Child::spawn(options);
  ::setrlimit(RLIMIT_NOFILE, &before);

  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, ErrorCode::Exhausted);
  EXPECT_NE(child.error().message.find("/dev/null"), std::string::npos) << child.error().message;
}

TEST(Process, MissingProgramIsNotFoundAndNamesIt) {
  SpawnOptions options;
  options.argv = {"no-such-program-here"};

  const auto child = Child::spawn(options);

  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, ErrorCode::NotFound);
  EXPECT_NE(child.error().message.find("no-such-program-here"), std::string::npos);
}

TEST(Process, MissingProgramWithAPathIsReportedByTheChild) {
  SpawnOptions options;
  options.argv = {"/nowhere/program"};

  const auto child = Child::spawn(options);

  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, ErrorCode::NotFound);
}

TEST(Process, EnvironmentIsInheritedAndReplaced) {
  ::setenv("ZT_TEST_A", "old", 1);
  SpawnOptions options = shell("printf %s,%s,%s \"$ZT_TEST_A\" \"$ZT_TEST_B\" \"${PATH:+path}\"");
  options.env = {{"ZT_TEST_A", "new"}, {"ZT_TEST_B", "b"}};

  const auto output = run(options, 5s);

  ASSERT_TRUE(output);
  EXPECT_EQ(output->out, "new,b,path");
}

TEST(Process, WorkingFolderAndOutputFileAreUsed) {
  const test::TempFolder folder;
  SpawnOptions options = shell("pwd");
  options.working_folder = folder.path();
  options.out = Stream::to_file(folder / "log");

  auto child = Child::spawn(options);
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->wait(5s));

  EXPECT_EQ(*files::read(folder / "log"), std::filesystem::canonical(folder.path()).string() + "\n");
}

TEST(Process, WaitPassesItsDeadlineAndTheChildStillRuns) {
  auto child = Child::spawn(shell("sleep 30"));
  ASSERT_TRUE(child);

  const auto exit = child->wait(30ms);

  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().code, ErrorCode::Timeout);
  EXPECT_FALSE(child->poll()->has_value());
}

TEST(Process, TimeoutOfRunKillsGrandchildrenToo) {
  const test::TempFolder folder;
  const std::string pid_file = (folder / "pid").string();

  const auto output = run(shell("sleep 60 & echo $! > " + pid_file + "; wait"), 300ms);

  ASSERT_FALSE(output);
  EXPECT_EQ(output.error().code, ErrorCode::Timeout);
  const int grandchild = std::stoi(*files::read(pid_file));
  // A zombie that no one has reaped yet still answers to kill(pid, 0): look at its state instead.
  EXPECT_TRUE(eventually([&] {
    const auto stat = files::read("/proc/" + std::to_string(grandchild) + "/stat");
    return !stat || stat->find(") Z") != std::string::npos;
  }));
}

TEST(Process, SignalsReachTheGroupAndShowInTheExit) {
  auto child = Child::spawn(shell("sleep 30"));
  ASSERT_TRUE(child);

  ASSERT_TRUE(child->send(SIGTERM));
  const auto exit = child->wait(5s);

  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->signal, SIGTERM);
  EXPECT_EQ(exit->shell_code(), 143);
}

TEST(Process, ChildDiesWithAParentThatIsKilled) {
  const test::TempFolder folder;
  const std::string pid_file = (folder / "pid").string();
  const pid_t parent = ::fork();
  if (parent == 0) {
    auto child = Child::spawn(shell("exec sleep 60"));
    if (child) (void)files::write_atomic(pid_file, std::to_string(child->pid()));
    ::pause();
  }
  ASSERT_TRUE(eventually([&] { return files::read(pid_file).has_value(); }));
  const int child = std::stoi(*files::read(pid_file));

  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);

  EXPECT_TRUE(eventually([&] {
    const auto stat = files::read("/proc/" + std::to_string(child) + "/stat");
    return !stat || stat->find(") Z") != std::string::npos;
  }));
}

TEST(Signals, SecondCtrlCMeansNowButRepeatedTermDoesNot) {
  using signals::Stop;
  EXPECT_EQ(signals::next(Stop::None, SIGINT), Stop::Requested);
  EXPECT_EQ(signals::next(Stop::None, SIGTERM), Stop::Requested);
  EXPECT_EQ(signals::next(Stop::Requested, SIGTERM), Stop::Requested);
  EXPECT_EQ(signals::next(Stop::Requested, SIGINT), Stop::Now);
  EXPECT_EQ(signals::next(Stop::Now, SIGTERM), Stop::Now);
}

TEST(Signals, HandlerSetsTheStateThatLoopsPoll) {
  signals::reset();
  signals::install(signals::OnNow::Report);

  ::raise(SIGTERM);
  EXPECT_EQ(signals::stop(), signals::Stop::Requested);
  EXPECT_EQ(signals::requested_by(), SIGTERM);
  ::raise(SIGINT);
  EXPECT_EQ(signals::stop(), signals::Stop::Now);
  EXPECT_EQ(signals::requested_by(), SIGTERM);
  signals::reset();
}

TEST(SignalsDeathTest, ALostTerminalAsksToStopUnlessItIsIgnored) {
  EXPECT_EXIT(
      {
        ::signal(SIGHUP, SIG_DFL);
        signals::install(signals::OnNow::Report);
        ::raise(SIGHUP);
        ::_exit(signals::requested_by());
      },
      ::testing::ExitedWithCode(SIGHUP), "");
  EXPECT_EXIT(
      {
        ::signal(SIGHUP, SIG_IGN);  // as nohup
        signals::install(signals::OnNow::Report);
        ::raise(SIGHUP);
        ::_exit(signals::requested_by());
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(StandardStreamsDeathTest, MissingOnesAreOpenedAndNoOther) {
  EXPECT_EXIT(
      {
        ::close(STDIN_FILENO);
        ::close(STDERR_FILENO);
        open_missing_streams();
        const bool are_there = ::fcntl(STDIN_FILENO, F_GETFD) == 0 && ::fcntl(STDERR_FILENO, F_GETFD) == 0;
        const int next = ::open("/dev/null", O_RDONLY);
        ::close(next);
        open_missing_streams();
        ::_exit(are_there && ::open("/dev/null", O_RDONLY) == next ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(SignalsDeathTest, WorkThatDoesNotPollEndsAtOnceWhileItSaysSo) {
  const auto end = [] {
    signals::install(signals::OnNow::Report);
    const signals::EndAtOnce interruptible;
    ::raise(SIGINT);
  };
  EXPECT_EXIT(end(), testing::KilledBySignal(SIGINT), "");

  signals::reset();
  signals::install(signals::OnNow::Report);
  { const signals::EndAtOnce interruptible; }
  ::raise(SIGTERM);
  EXPECT_EQ(signals::stop(), signals::Stop::Requested) << "handled again";
  signals::reset();
}

TEST(SignalsDeathTest, WorkerLeavesWith130OnTheSecondCtrlC) {
  EXPECT_EXIT(
      {
        signals::install(signals::OnNow::Exit);
        ::raise(SIGINT);
        ::raise(SIGINT);
      },
      ::testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace zt::process
