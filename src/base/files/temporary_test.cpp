// SPDX-License-Identifier: Apache-2.0
#include "base/files/temporary.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/files/files.hpp"
#include "support/temp_folder.hpp"

namespace zt::files {
namespace {

/// Runs `body` in a process of its own, which then waits to be killed.
class Writer {
 public:
  explicit Writer(const std::function<void()>& body) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      body();
      (void)!::write(ends[1], "x", 1);
      for (;;) ::pause();
    }
    char ready = 0;
    EXPECT_EQ(::read(ends[0], &ready, 1), 1);
    ::close(ends[0]);
    ::close(ends[1]);
  }
  ~Writer() { kill(); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
};

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& item : fs::recursive_directory_iterator(folder))
    names.push_back(fs::relative(item.path(), folder).string());
  return names;
}

TEST(Temporary, IsRemovedAtItsEndUnlessItGotItsName) {
  const test::TempFolder folder;
  {
    const auto file = Temporary::file(folder / "a"), whole = Temporary::file(folder / "b");
    const auto inner = Temporary::folder(folder / "c"), whole_folder = Temporary::folder(folder / "d");
    ASSERT_TRUE(file && whole && inner && whole_folder);
    ASSERT_TRUE(write_atomic(inner->path() / "part", "x"));
    ASSERT_TRUE(rename_durable(whole->path(), folder / "b"));
    ASSERT_TRUE(rename_durable(whole_folder->path(), folder / "d"));
  }
  const auto names = names_in(folder.path());
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()), (std::set<std::string>{"b", "d"}));
}

TEST(Temporary, OfALivingProcessStaysAndOfAKilledOneGoes) {
  const test::TempFolder folder;
  ASSERT_TRUE(make_folders(folder / "deep"));
  Writer writer([&] {
    new auto(Temporary::file(folder / "file"));
    const auto* held = new auto(Temporary::folder(folder / "deep/folder"));
    if (!write_atomic((*held)->path() / "part", "x")) ::_exit(1);
  });

  remove_leftovers(folder.path());
  EXPECT_EQ(names_in(folder.path()).size(), 6U);  // deep, file; folder's outer one, lock, inner one, part

  writer.kill();
  remove_leftovers_of(folder / "fil");
  EXPECT_EQ(names_in(folder.path()).size(), 6U);
  remove_leftovers_of(folder / "file");
  EXPECT_EQ(names_in(folder.path()).size(), 5U);
  remove_leftovers(folder.path());
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"deep"});
}

TEST(Temporary, LockIsInheritedByNoChild) {
  const test::TempFolder folder;
  const auto file = Temporary::file(folder / "a");
  ASSERT_TRUE(file);

  EXPECT_TRUE(::fcntl(file->descriptor(), F_GETFD) & FD_CLOEXEC);
}

TEST(Temporary, RemovalAtAnyPointLeavesWhatAnotherCanFinish) {
  const test::TempFolder folder;
  const fs::path outer = folder / "a.zt-tmp.0123456789abcdef";
  ASSERT_TRUE(make_folders(outer));
  remove_leftovers(folder.path());
  EXPECT_FALSE(fs::exists(outer)) << "killed before the lock was made, or after it was removed";

  ASSERT_TRUE(make_folders(outer));
  ASSERT_TRUE(write_atomic(outer / "lock", ""));
  remove_leftovers(folder.path());
  EXPECT_FALSE(fs::exists(outer)) << "killed before the folder was made, or after it was renamed or removed";
}

TEST(Temporary, KeptFoldersAndStrangersStay) {
  const test::TempFolder folder;
  fs::path kept_path;
  {
    auto kept = Temporary::folder(folder / "kept");
    ASSERT_TRUE(kept && write_atomic(kept->path() / "log", "x"));
    kept->keep();
    kept_path = kept->path();
  }
  const std::vector<fs::path> strangers = {folder / "a", folder / "a.tmp.0123456789abcdef",
                                           folder / "a.zt-tmp.0123456789abcdeg",
                                           folder / ".zt-tmp.0123456789abcdef"};
  for (const fs::path& path : strangers) ASSERT_TRUE(write_atomic(path, "x"));

  remove_leftovers(folder.path());
  remove_leftovers(folder / "nowhere");

  EXPECT_TRUE(fs::exists(kept_path / "log"));
  for (const fs::path& path : strangers) EXPECT_TRUE(fs::exists(path)) << path;
}

TEST(Temporary, WritersAndRemoversNeverTakeEachOthersFiles) {
  constexpr int kFiles = 100;
  const test::TempFolder folder;
  std::atomic<bool> is_over = false;
  std::thread remover([&] {
    while (!is_over) remove_leftovers(folder.path());
  });
  int lost = 0;
  for (int i = 0; i < kFiles; ++i) {
    const fs::path target = folder / "target";
    const auto file = Temporary::file(target), tree = Temporary::folder(target);
    lost += !file || !tree || ::rename(file->path().c_str(), target.c_str()) != 0;
    lost += ::unlink(target.c_str()) != 0 || ::rename(tree->path().c_str(), target.c_str()) != 0;
    lost += ::rmdir(target.c_str()) != 0;
  }
  is_over = true;
  remover.join();
  EXPECT_EQ(lost, 0);
}

}  // namespace
}  // namespace zt::files
