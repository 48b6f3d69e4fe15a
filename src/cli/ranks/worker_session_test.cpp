// SPDX-License-Identifier: Apache-2.0
#include "cli/ranks/worker_session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/host_name.hpp"
#include "support/file_limit.hpp"
#include "support/temp_folder.hpp"

namespace zt::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// Stands for the worker until the end of the test.
class WorkerScript {
 public:
  WorkerScript(const fs::path& file, const std::string& lines) {
    std::ofstream(file) << "#!/bin/sh\n" << lines << "\n";
    fs::permissions(file, fs::perms::owner_all);
    ::setenv("ZT_WORKER", file.c_str(), 1);
  }
  ~WorkerScript() { ::unsetenv("ZT_WORKER"); }
  WorkerScript(const WorkerScript&) = delete;
  WorkerScript& operator=(const WorkerScript&) = delete;
};

TEST(WorkerSession, SaysThatTheRunFolderIsGoneAndNamesItAsTheCause) {
  const test::TempFolder folder;
  const fs::path run = folder / "run";
  fs::create_directory(run);
  // The first rank moves the folder once all logs are open, and then finds nothing.
  const WorkerScript worker(folder / "worker",
                            "case \"$*\" in *'--rank 1'*) exit 76;; esac\n"
                            "until [ -e run/log-1 ]; do :; done\n"
                            "mv run moved\n"
                            "exit 66");
  WorkerSession session;
  session.call.run_dir = run;
  session.call.progress = run / "progress-0";
  session.call.place.ranks = 2;
  session.log = run / "log-0";
  session.others.push_back({session.call, run / "log-1"});
  session.others.front().call.place.rank = 1;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());

  ::testing::internal::CaptureStderr();
  const auto end = supervise(session);
  const std::string said = ::testing::internal::GetCapturedStderr();
  fs::current_path(before);

  ASSERT_TRUE(end) << end.error().text();
  EXPECT_EQ(end->code, 66);
  EXPECT_THAT(said, HasSubstr("the run folder " + run.string() + " is gone"));
  EXPECT_THAT(said, HasSubstr("rank 0 on " + host_name() + " failed first: the run folder " + run.string() +
                              " was moved or removed while it trained"));
}

// A full disk takes no log either. The limit holds for the worker too, and stands for the disk.
TEST(WorkerSession, SaysWhyAWorkerHadNoRoomForItsWords) {
  for (const int64_t ranks : {1, 2, 0}) {  // 0: an import, which has none
    const test::TempFolder folder;
    const WorkerScript worker(folder / "worker", "exit 72");
    WorkerSession session;
    session.call.run_dir = folder.path();
    session.call.progress = folder / "progress-0";
    session.call.place.ranks = std::max<int64_t>(ranks, 1);
    if (ranks == 0) session.call.verb = contract::WorkerVerb::Import;
    session.log = folder / "log-0";
    if (ranks == 2) session.others.push_back({session.call, folder / "log-1"});
    const test::FileLimit limit(8192);

    ::testing::internal::CaptureStderr();
    const auto end = supervise(session);
    const std::string said = ::testing::internal::GetCapturedStderr();

    ASSERT_TRUE(end) << end.error().text();
    EXPECT_EQ(end->code, 72);
    EXPECT_THAT(said, HasSubstr("it ended with exit code 72 and could not write why: cannot write " +
                                (folder / "log-").string()));
    EXPECT_THAT(said, HasSubstr(ranks > 0 ? "File too large; make room and go on with --resume"
                                          : "File too large; make room and run the command again"));
  }
}

TEST(WorkerSession, QuotesTheLastLineOfARankThatOtherCodeEnded) {
  const test::TempFolder folder;
  const WorkerScript worker(folder / "worker",
                            "echo 'loading' >&2; echo 'error while loading shared libraries: x.so' >&2\n"
                            "exit 127");
  WorkerSession session;
  session.call.run_dir = folder.path();
  session.call.progress = folder / "progress-0";
  session.call.place.ranks = 2;
  session.log = folder / "log-0";
  session.others.push_back({session.call, folder / "log-1"});

  ::testing::internal::CaptureStderr();
  const auto end = supervise(session);
  const std::string said = ::testing::internal::GetCapturedStderr();

  ASSERT_TRUE(end) << end.error().text();
  EXPECT_EQ(end->code, 127);
  EXPECT_THAT(said, HasSubstr("failed first: it ended with exit code 127, saying: error while loading shared "
                              "libraries: x.so; its log is " +
                              (folder / "log-").string()));
}

TEST(WorkerSession, RefusesAWorkerThatIsNoProgram) {
  ::setenv("ZT_WORKER", "/nowhere/worker", 1);
  const auto worker = find_worker();
  ::unsetenv("ZT_WORKER");

  ASSERT_FALSE(worker);
  EXPECT_EQ(worker.error().code, ErrorCode::NotFound);
  EXPECT_THAT(worker.error().message, HasSubstr("/nowhere/worker"));
}

}  // namespace
}  // namespace zt::cli
