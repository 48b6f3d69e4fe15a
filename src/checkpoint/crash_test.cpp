// SPDX-License-Identifier: Apache-2.0
// A crash at every write point of a save leaves a loadable checkpoint. This program's own write(), fsync(),
// rename()... stand before libc's: in a child process they count down to a crash, at which everything not
// synced is lost, as in a power cut. A child is killed at its first write operation, the next at its second,
// and so on to the end of the save.
#include <ATen/ATen.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/files/files.hpp"
#include "checkpoint/reader.hpp"
#include "checkpoint/saver.hpp"
#include "support/board_meeting.hpp"
#include "support/resource_limit.hpp"
#include "support/temp_folder.hpp"

namespace {

constexpr int kCrashed = 77;

/// What goes wrong and when.
struct CrashPlan {
  bool is_armed = false;                    ///< crash; only the child arms it
  bool is_disk_full = false;                ///< from then on no write succeeds
  bool flips_a_bit = false;                 ///< in all that is written of trained tensors
  std::atomic<bool> hangs = false;          ///< no write of trained tensors returns, until it is cleared
  std::atomic<int> writes_before_hang = 0;  ///< of trained tensors, that return all the same
  std::condition_variable released;
  int operations_left = 0;
  std::mutex mutex;
  std::set<std::string> unsynced;   ///< files with bytes that a power cut would lose
  std::set<std::string> new_names;  ///< files and folders that it would lose with their name

  void lose_unsynced() {
    is_armed = false;
    for (const std::string& path : unsynced) ::syscall(SYS_truncate, path.c_str(), 0);
    for (const std::string& path : new_names) std::filesystem::remove_all(path);
  }
  [[noreturn]] void crash() {
    lose_unsynced();
    ::_exit(kCrashed);
  }
  /// The disk hangs no more.
  void release() {
    const std::lock_guard lock(mutex);
    hangs = false;
    released.notify_all();
  }
  /// Called before each operation.
  void count() {
    if (operations_left-- == 0) crash();
  }
};
CrashPlan plan;

std::string path_of(int fd) {
  char path[PATH_MAX] = {};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  return ::readlink(link.c_str(), path, sizeof path - 1) > 0 ? path : "";
}

// Moves what is unsynced under `from`, a file or a folder, to `to`. A name that was there already stays after
// a power cut, with the old or the new bytes.
void renamed(const std::string& from, const std::string& to) {
  for (std::set<std::string>* paths : {&plan.unsynced, &plan.new_names}) {
    std::set<std::string> moved;
    for (const std::string& path : *paths)
      moved.insert(path.starts_with(from) ? to + path.substr(from.size()) : path);
    *paths = std::move(moved);
  }
  if (std::filesystem::exists(to)) {
    plan.new_names.erase(to);
  } else {
    plan.new_names.insert(to);
  }
}

// A folder that is synced keeps the names in it.
void synced(const std::string& path) {
  plan.unsynced.erase(path);
  std::erase_if(plan.new_names,
                [&](const std::filesystem::path& name) { return name.parent_path() == path; });
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  if (plan.is_disk_full && plan.operations_left-- <= 0) {
    errno = ENOSPC;
    return -1;
  }
  const bool is_data = (plan.hangs || plan.flips_a_bit) && path_of(fd).find("rank-") != std::string::npos;
  if (is_data && plan.hangs && plan.writes_before_hang-- <= 0) {
    std::unique_lock lock(plan.mutex);
    plan.released.wait(lock, [] { return !plan.hangs; });
  }
  if (is_data && plan.flips_a_bit) {
    std::string changed(static_cast<const char*>(data), size);
    changed.back() ^= 1;
    return ::syscall(SYS_write, fd, changed.data(), size);
  }
  if (!plan.is_armed) return ::syscall(SYS_write, fd, data, size);
  const std::lock_guard lock(plan.mutex);
  plan.unsynced.insert(path_of(fd));
  plan.new_names.insert(path_of(fd));  // a save writes to no file that was there before
  if (plan.operations_left == 0) ::syscall(SYS_write, fd, data, size / 2);  // torn
  plan.count();
  return ::syscall(SYS_write, fd, data, size);
}

// Never syncs: the crash is simulated, so the disk need not be waited for.
int fsync(int fd) {
  if (!plan.is_armed) return 0;
  const std::lock_guard lock(plan.mutex);
  plan.count();
  synced(path_of(fd));
  return 0;
}

int rename(const char* from, const char* to) noexcept {
  if (plan.is_armed) {
    const std::lock_guard lock(plan.mutex);
    plan.count();
    renamed(from, to);
  }
  return static_cast<int>(::syscall(SYS_rename, from, to));
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  if (plan.is_armed) {
    const std::lock_guard lock(plan.mutex);
    plan.count();
  }
  return static_cast<int>(::syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
}

int mkdir(const char* path, mode_t mode) noexcept {
  if (plan.is_armed) {
    const std::lock_guard lock(plan.mutex);
    plan.count();
  }
  return static_cast<int>(::syscall(SYS_mkdir, path, mode));
}

int link(const char* from, const char* to) noexcept {
  if (plan.is_armed) {
    const std::lock_guard lock(plan.mutex);
    plan.count();
  }
  return static_cast<int>(::syscall(SYS_link, from, to));
}

int unlink(const char* path) noexcept {
  if (plan.is_armed) {
    const std::lock_guard lock(plan.mutex);
    plan.count();
  }
  return static_cast<int>(::syscall(SYS_unlink, path));
}

int unlinkat(int folder, const char* path, int flags) noexcept {
  if (plan.is_armed) {
    const std::lock_guard lock(plan.mutex);
    plan.count();
  }
  return static_cast<int>(::syscall(SYS_unlinkat, folder, path, flags));
}

}  // extern "C"

namespace zt::checkpoint {
namespace {

namespace fs = std::filesystem;

/// A rank's part; the first one has what is not divided.
Snapshot snapshot_of(int64_t step, double value, int rank = 0, int ranks = 1) {
  const int64_t begin = 50 * rank / ranks, end = 50 * (rank + 1) / ranks;
  const params::Piece piece{{50}, begin};
  Snapshot snapshot{
      step,
      {{"param/w", at::full({end - begin}, value), piece}, {"ema/w", at::full({end - begin}, -value), piece}},
      {},
      {},
      {}};
  if (rank > 0) return snapshot;
  snapshot.scalars = {{"n", step}};
  snapshot.frozen = {{"param/frozen", at::full({50}, 9.0)}};
  return snapshot;
}

SaverOptions options_for(const fs::path& folder) {
  return {.folder = folder, .run_id = "r", .config_digest = "d", .generation = 1, .retention = {1, 0}};
}

Status save(const fs::path& folder, const Snapshot& snapshot) {
  Saver saver(options_for(folder));
  saver.save(snapshot);
  saver.wait();
  return saver.take_results().at(0).status;
}

/// On several ranks at once.
Status save_together(const fs::path& folder, int64_t step, double value, int ranks) {
  test::Board board;
  std::vector<std::unique_ptr<Saver>> savers;
  for (int rank = 0; rank < ranks; ++rank) {
    SaverOptions options = options_for(folder);
    options.meeting = std::make_shared<test::BoardMeeting>(board, rank, ranks);
    savers.push_back(std::make_unique<Saver>(options));
    savers.back()->save(snapshot_of(step, value, rank, ranks));
  }
  Status all;
  for (const auto& saver : savers) {
    saver->wait();
    if (const Status one = saver->take_results().at(0).status; all) all = one;
  }
  return all;
}

// Saves in a child that dies before write operation number `crash_at`. Whether it got to the end.
bool save_with_crash(const fs::path& folder, int64_t step, int ranks, int crash_at) {
  const pid_t child = ::fork();
  if (child == 0) {
    plan.operations_left = crash_at;
    plan.is_armed = true;
    const Status status =
        ranks == 1 ? save(folder, snapshot_of(step, 2)) : save_together(folder, step, 2, ranks);
    plan.lose_unsynced();  // what has been reported as saved stays
    ::_exit(status ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_NE(WEXITSTATUS(status), 1) << "the save failed by itself";
  return WEXITSTATUS(status) == 0;
}

// The value of a loadable checkpoint whose tensors belong together; fails the test if there is none.
double value_in(const fs::path& folder) {
  const auto found = open_newest(folder);
  if (!found) {
    ADD_FAILURE() << found.error().text();
    return 0;
  }
  const at::Tensor w = *found->reader.tensor("param/w"), ema = *found->reader.tensor("ema/w");
  EXPECT_TRUE(at::equal(w, -ema));
  EXPECT_TRUE(at::equal(w, at::full({50}, w[0].item<double>())));
  EXPECT_TRUE(at::equal(*found->reader.tensor("param/frozen"), at::full({50}, 9.0)));
  return w[0].item<double>();
}

void expect_nothing_left_over(const fs::path& folder) {
  for (const auto& item : fs::recursive_directory_iterator(folder))
    EXPECT_EQ(item.path().string().find(".zt-tmp."), std::string::npos) << item.path();
}

// Crashes at every point of the second save, which links the first one's frozen file; returns the number of
// points.
int crash_everywhere(int64_t second_step, int ranks = 1) {
  for (int crash_at = 0;; ++crash_at) {
    SCOPED_TRACE("crash before write operation " + std::to_string(crash_at));
    const test::TempFolder folder;
    EXPECT_TRUE(save(folder.path(), snapshot_of(1, 1)));

    const bool is_done = save_with_crash(folder.path(), second_step, ranks, crash_at);

    const double value = value_in(folder.path());
    EXPECT_TRUE(value == 2 || (value == 1 && !is_done)) << value;
    EXPECT_TRUE(save(folder.path(), snapshot_of(3, 3)));  // and the next save is none the worse
    EXPECT_EQ(value_in(folder.path()), 3);
    expect_nothing_left_over(folder.path());
    if (is_done || ::testing::Test::HasFailure()) return crash_at;
  }
}

TEST(CheckpointCrash, AtEveryWritePointLeavesALoadableCheckpoint) {
  // At least: data file, manifest and latest, each written and synced; the frozen file linked; two folders
  // synced and two things renamed; the old one removed.
  EXPECT_GT(crash_everywhere(2), 20);
}

TEST(CheckpointCrash, AtEveryWritePointOfReplacingTheOnlyOneLeavesALoadableCheckpoint) {
  EXPECT_GT(crash_everywhere(1), 20);
}

// A power cut takes all ranks of the host; what they wrote until then comes in any order.
TEST(CheckpointCrash, AtEveryWritePointOfSeveralRanksLeavesALoadableCheckpoint) {
  EXPECT_GT(crash_everywhere(2, /*ranks=*/2), 24);
  EXPECT_GT(crash_everywhere(1, /*ranks=*/3), 28);
}

TEST(CheckpointCrash, WhatDoesNotReadBackReplacesNothing) {
  for (const int64_t step : {1, 2}) {
    SCOPED_TRACE("step " + std::to_string(step));
    const test::TempFolder folder;
    ASSERT_TRUE(save(folder.path(), snapshot_of(1, 1)));

    plan.flips_a_bit = true;
    const Status status = save(folder.path(), snapshot_of(step, 2));
    plan.flips_a_bit = false;

    EXPECT_EQ(status.error().code, ErrorCode::Corrupt);
    EXPECT_EQ(value_in(folder.path()), 1);
    EXPECT_EQ(*files::read(folder / "latest"), "step-00000001\n");
    expect_nothing_left_over(folder.path());
  }
}

TEST(CheckpointCrash, ADiskThatHangsCostsADeadlineAndNotTheRun) {
  const test::TempFolder folder;
  SaverOptions options = options_for(folder.path());
  options.deadline = std::chrono::milliseconds(200);
  Saver saver(options);
  plan.hangs = true;
  saver.save(snapshot_of(1, 1));

  const Status waited = saver.wait();
  saver.save(snapshot_of(2, 2));

  EXPECT_EQ(waited.error().code, ErrorCode::Timeout);
  const auto results = saver.take_results();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].step, 2);
  EXPECT_EQ(results[0].status.error().code, ErrorCode::Timeout);
  plan.release();
  while (!saver.wait()) std::this_thread::yield();
  EXPECT_EQ(value_in(folder.path()), 1);
}

/// A sanitizer ends the process where a library would be told that there is no memory.
constexpr bool kCanLackMemory =
#if defined(__SANITIZE_ADDRESS__)
    false;
#else
    true;
#endif

/// What becomes of a save of live tensors, for which there is no memory to copy them, on a disk that hangs
/// amid a tensor until the step that changes them has gone on.
std::vector<SaveResult> save_uncopied(Saver& saver, const Snapshot& live,
                                      std::chrono::milliseconds hangs_for) {
  plan.writes_before_hang = 2;
  plan.hangs = true;
  std::thread disk([&] {
    if (hangs_for.count() == 0) return;
    std::this_thread::sleep_for(hangs_for);
    plan.release();
  });
  {
    const test::ResourceLimit no_memory(RLIMIT_AS, 1);
    saver.save(live);
    saver.await_copy();
  }
  live.tensors[0].value.fill_(-1);  // the next update
  disk.join();
  plan.release();
  EXPECT_TRUE(saver.wait());
  return saver.take_results();
}

TEST(CheckpointCrash, HungDiskWithoutMemoryForACopyLetsTheStepGoOn) {
  if (!kCanLackMemory) GTEST_SKIP();
  const test::TempFolder folder;
  ASSERT_TRUE(save(folder.path(), snapshot_of(1, 1)));
  SaverOptions options = options_for(folder.path());
  options.deadline = std::chrono::milliseconds(300);
  Saver saver(options);

  const auto results = save_uncopied(saver, snapshot_of(2, 2), /*hangs_for=*/{});

  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].status.error().code, ErrorCode::Timeout);
  EXPECT_GE(results[0].stall_s, 0.3);
  EXPECT_EQ(value_in(folder.path()), 1);
}

TEST(CheckpointCrash, SlowDiskWithoutMemoryForACopyGetsItsCheckpoint) {
  if (!kCanLackMemory) GTEST_SKIP();
  const test::TempFolder folder;
  SaverOptions options = options_for(folder.path());
  options.patience = std::chrono::milliseconds(10);
  Saver saver(options);

  const auto results = save_uncopied(saver, snapshot_of(2, 2), std::chrono::milliseconds(100));

  ASSERT_EQ(results.size(), 1U);
  EXPECT_TRUE(results[0].status) << results[0].status.error().text();
  EXPECT_GE(results[0].stall_s, 0.05);
  EXPECT_EQ(value_in(folder.path()), 2);
}

SaverOptions impatient_options(const std::filesystem::path& folder) {
  SaverOptions options = options_for(folder);
  options.patience = std::chrono::milliseconds(1);
  return options;
}

/// The disk hangs in the save of step 1; that of step 2 does not wait for it.
void leave_one_out(Saver& saver) {
  plan.hangs = true;
  saver.save(snapshot_of(1, 1));
  saver.save(snapshot_of(2, 2));
}

TEST(CheckpointCrash, ADiskThatHangsHoldsUpTheNextSaveForAMinuteAndNotForTheDeadline) {
  const test::TempFolder folder;
  Saver saver(impatient_options(folder.path()));
  leave_one_out(saver);
  const auto left_out = saver.take_results();
  plan.release();
  while (!saver.wait()) std::this_thread::yield();
  saver.save(snapshot_of(3, 3));

  ASSERT_EQ(left_out.size(), 1U);
  EXPECT_EQ(left_out[0].step, 2);
  EXPECT_EQ(left_out[0].status.error().code, ErrorCode::Timeout);
  EXPECT_TRUE(saver.wait());
  EXPECT_EQ(value_in(folder.path()), 3);
}

TEST(CheckpointCrash, TheLastSaveWaitsForASlowDiskAlsoAfterOneWasLeftOut) {
  const test::TempFolder folder;
  Saver saver(impatient_options(folder.path()));
  leave_one_out(saver);
  std::thread disk([] { plan.release(); });
  saver.save_in_place(snapshot_of(3, 3));
  disk.join();

  const auto results = saver.take_results();
  ASSERT_EQ(results.size(), 3U);
  EXPECT_TRUE(results.back().status);
  EXPECT_EQ(value_in(folder.path()), 3);
}

TEST(CheckpointCrash, ADiskThatFillsUpCostsOneSaveOnly) {
  for (int full_at = 0;; ++full_at) {
    SCOPED_TRACE("disk full at write " + std::to_string(full_at));
    const test::TempFolder folder;
    ASSERT_TRUE(save(folder.path(), snapshot_of(1, 1)));

    plan.operations_left = full_at;
    plan.is_disk_full = true;
    const Status status = save(folder.path(), snapshot_of(2, 2));
    plan.is_disk_full = false;

    EXPECT_TRUE(status || status.error().code == ErrorCode::Exhausted);
    expect_nothing_left_over(folder.path());  // what was written is given back at once
    EXPECT_GE(value_in(folder.path()), status ? 2 : 1);
    EXPECT_TRUE(save(folder.path(), snapshot_of(3, 3)));
    EXPECT_EQ(value_in(folder.path()), 3);
    if (status || HasFailure()) {
      EXPECT_GT(full_at, 3);  // data, manifest, latest
      return;
    }
  }
}

}  // namespace
}  // namespace zt::checkpoint
