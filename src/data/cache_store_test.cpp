// SPDX-License-Identifier: Apache-2.0
#include "data/cache_store.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/counter_rng.hpp"
#include "base/files/files.hpp"
#include "support/pipes.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;

std::string key_of(int64_t i) { return CacheKey("test").add("i", i).hex(); }

// Bytes that only this key may hold.
std::vector<std::byte> bytes_of(int64_t i, size_t count = 5000) {
  std::vector<std::byte> bytes(count);
  CounterRng rng(static_cast<uint64_t>(i), 1, 0);
  for (std::byte& b : bytes) b = static_cast<std::byte>(rng.next_u32());
  return bytes;
}

std::unique_ptr<CacheStore> open_at(const fs::path& folder, uint64_t max_bytes = uint64_t{1} << 30) {
  auto store = CacheStore::open({folder, max_bytes});
  if (!store) ADD_FAILURE() << store.error().text();
  return store ? *std::move(store) : nullptr;
}

fs::path entry_path(const fs::path& folder, int64_t i) { return folder / key_of(i).substr(0, 2) / key_of(i); }

size_t files_in(const fs::path& folder) {
  return static_cast<size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

// Runs `body` in a forked process, which tells of its progress on a pipe; kills it -9 after `num_bytes` of
// them, or waits for its end if that is 0.
template <class Body>
class Forked {
 public:
  explicit Forked(const Body& body) {
    if (::pipe(pipe_) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      body(pipe_[1]);
      ::_exit(0);
    }
    ::close(pipe_[1]);
  }
  void kill_after(int num_bytes) {
    char c = 0;
    for (int i = 0; i < num_bytes; ++i) {
      if (::read(pipe_[0], &c, 1) != 1) break;
    }
    ::kill(pid_, SIGKILL);
    join();
  }
  int join() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    ::close(pipe_[0]);
    return status;
  }

 private:
  int pipe_[2] = {-1, -1};
  pid_t pid_ = -1;
};

TEST(CacheKey, DependsOnEveryFieldAndWhereItEnds) {
  const std::set<std::string> keys = {CacheKey("latent").add("a", "bc").hex(),
                                      CacheKey("latent").add("ab", "c").hex(),
                                      CacheKey("latent").add("a", "b").hex(),
                                      CacheKey("latent").add("a", "b").add("c", "").hex(),
                                      CacheKey("latent").add("a", int64_t{1}).hex(),
                                      CacheKey("latent").add("a", 1.0).hex(),
                                      CacheKey("latent").add("a", "1").hex(),
                                      CacheKey("latent").add("a", int64_t{-1}).hex(),
                                      CacheKey("clip").add("a", "bc").hex(),
                                      CacheKey("latent").add("a", int64_t{1}).add("b", int64_t{1}).hex()};

  EXPECT_EQ(keys.size(), 10U);
  EXPECT_EQ(CacheKey("latent").add("a", "bc").hex(), CacheKey("latent").add("a", "bc").hex());
}

TEST(CacheStore, GivesBackWhatWasPutAlsoToTheNextProcess) {
  const test::TempFolder folder;
  ASSERT_TRUE(open_at(folder.path())->put(key_of(1), bytes_of(1)));
  const auto store = open_at(folder.path());

  ASSERT_TRUE(store->put(key_of(2), {}));

  EXPECT_EQ(store->get(key_of(1)), bytes_of(1));
  EXPECT_EQ(store->get(key_of(2)), std::vector<std::byte>());
  EXPECT_EQ(store->get(key_of(3)), std::nullopt);
  EXPECT_TRUE(store->contains(key_of(1)));
  EXPECT_FALSE(store->contains(key_of(3)));
  EXPECT_EQ(store->stats().hits, 2U);
  EXPECT_EQ(store->stats().misses, 1U);
  EXPECT_EQ(store->stats().bytes, 8192U + 4096U);  // 5000 and 0 bytes with their headers, in blocks
}

TEST(CacheStore, AnEntryThatIsThereIsLeft) {
  const test::TempFolder folder;
  const auto store = open_at(folder.path());

  ASSERT_TRUE(store->put(key_of(1), bytes_of(1)));
  ASSERT_TRUE(store->put(key_of(1), bytes_of(2)));

  EXPECT_EQ(store->get(key_of(1)), bytes_of(1));
  EXPECT_EQ(store->stats().puts, 1U);
}

TEST(CacheStore, ADamagedEntryIsAMissAndGoes) {
  const std::vector<std::function<void(const fs::path&)>> damages = {
      [](const fs::path& p) { fs::resize_file(p, 20); },
      [](const fs::path& p) { fs::resize_file(p, 4000); },
      [](const fs::path& p) { fs::resize_file(p, 6000); },
      [](const fs::path& p) { fs::resize_file(p, 0); },
      [](const fs::path& p) {
        std::fstream(p, std::ios::in | std::ios::out | std::ios::binary).seekp(3000).put('x').put('y');
      },
      [](const fs::path& p) {
        std::fstream(p, std::ios::in | std::ios::out | std::ios::binary).seekp(15).put('\x7F');
      },
      [](const fs::path& p) {
        fs::copy_file(entry_path(p.parent_path().parent_path(), 2), p, fs::copy_options::overwrite_existing);
      },
  };
  const test::TempFolder folder;
  const auto store = open_at(folder.path());
  ASSERT_TRUE(store->put(key_of(2), bytes_of(2)));

  for (size_t i = 0; i < damages.size(); ++i) {
    ASSERT_TRUE(store->put(key_of(1), bytes_of(1)));
    damages[i](entry_path(folder.path(), 1));

    EXPECT_EQ(store->get(key_of(1)), std::nullopt) << i;
    EXPECT_EQ(store->stats().corrupt, i + 1);
    EXPECT_FALSE(store->contains(key_of(1)));
  }
}

TEST(CacheStore, APipeInPlaceOfAnEntryIsNotWaitedFor) {
  const test::TempFolder folder;
  const auto store = open_at(folder.path());
  ASSERT_TRUE(store->put(key_of(1), bytes_of(1)));
  fs::remove(entry_path(folder.path(), 1));
  const fs::path pipe = test::make_pipe(entry_path(folder.path(), 1));
  std::optional<std::vector<std::byte>> found;

  EXPECT_TRUE(test::comes_back(pipe, [&] { found = store->get(key_of(1)); }));

  EXPECT_EQ(found, std::nullopt);
  EXPECT_FALSE(fs::exists(pipe));
}

TEST(CacheStore, TheLeastRecentlyUsedGoFirst) {
  const test::TempFolder folder;
  const auto store = open_at(folder.path(), 10 * 8192);
  for (int64_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(store->put(key_of(i), bytes_of(i)));
    fs::last_write_time(entry_path(folder.path(), i),
                        fs::file_time_type::clock::now() - std::chrono::hours(100 - i));
  }

  EXPECT_TRUE(store->get(key_of(0)));  // used just now
  ASSERT_TRUE(store->put(key_of(10), bytes_of(10)));

  EXPECT_EQ(store->stats().evicted, 2U);  // down to 90 %
  EXPECT_LE(store->stats().bytes, 9U * 8192);
  EXPECT_TRUE(store->contains(key_of(0)));
  EXPECT_FALSE(store->contains(key_of(1)));
  EXPECT_FALSE(store->contains(key_of(2)));
  EXPECT_TRUE(store->contains(key_of(3)));
  EXPECT_TRUE(store->contains(key_of(10)));
}

TEST(CacheStore, WithoutALimitNothingGoes) {
  const test::TempFolder folder;
  ASSERT_TRUE(open_at(folder.path(), 0)->put(key_of(1), bytes_of(1)));

  EXPECT_TRUE(open_at(folder.path(), 0)->contains(key_of(1)));
}

TEST(CacheStore, ASmallerLimitHoldsFromOpenOn) {
  const test::TempFolder folder;
  const auto store = open_at(folder.path());
  for (int64_t i = 0; i < 8; ++i) ASSERT_TRUE(store->put(key_of(i), bytes_of(i)));

  EXPECT_LE(open_at(folder.path(), 4 * 8192)->stats().bytes, 4U * 8192);
}

TEST(CacheStore, RefusesAFolderOfAnotherVersion) {
  const test::TempFolder folder;
  ASSERT_TRUE(files::write_atomic(folder / "format", "zoetrope-cache 2\n"));

  const auto store = CacheStore::open({folder.path()});

  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::Unsupported);
}

TEST(CacheStore, AwaitsNoVersionFromAPipe) {
  const test::TempFolder folder;
  const fs::path pipe = test::make_pipe(folder / "format");
  std::optional<Error> error;

  EXPECT_TRUE(test::comes_back(pipe, [&] {
    if (const auto store = CacheStore::open({folder.path()}); !store) error = store.error();
  }));

  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::InvalidArgument);
}

TEST(CacheStore, RefusesWhatIsNoKey) {
  const test::TempFolder folder;
  const auto store = open_at(folder.path());

  EXPECT_FALSE(store->put("../../etc", bytes_of(1)));
  EXPECT_EQ(store->get(""), std::nullopt);
  EXPECT_FALSE(store->contains("tmp"));
}

TEST(CacheStore, ThreadsShareIt) {
  const test::TempFolder folder;
  const auto store = open_at(folder.path(), 20 * 8192);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;

  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int64_t i = 0; i < 100; ++i) {
        const int64_t k = (i * 7 + t) % 40;
        if (!store->put(key_of(k), bytes_of(k))) ++wrong;
        const auto found = store->get(key_of(k));
        if (found && *found != bytes_of(k)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(wrong, 0);
  EXPECT_LE(store->stats().bytes, 20U * 8192);
}

TEST(CacheStore, SurvivesProcessesThatAreKilledWhileTheyWrite) {
  const test::TempFolder folder;
  constexpr uint64_t kLimit = 30 * 8192;
  const auto work = [&](int pipe, uint64_t seed) {
    const auto store = CacheStore::open({folder.path(), kLimit});
    CounterRng rng(seed, 1, 0);
    for (;;) {
      const auto i = static_cast<int64_t>(rng.below(60));
      const auto found = (*store)->get(key_of(i));
      if (found && *found != bytes_of(i)) ::_exit(1);
      if (!found && !(*store)->put(key_of(i), bytes_of(i))) ::_exit(2);
      if (::write(pipe, "x", 1) != 1) ::_exit(3);
    }
  };

  for (uint64_t round = 0; round < 12; ++round) {
    Forked a([&](int pipe) { work(pipe, 2 * round); });
    Forked b([&](int pipe) { work(pipe, 2 * round + 1); });
    a.kill_after(20 + static_cast<int>(7 * round));
    b.kill_after(40);
  }

  const auto store = open_at(folder.path(), kLimit);
  EXPECT_EQ(files_in(folder / "tmp"), 0U) << "what dead writers left";
  for (int64_t i = 0; i < 60; ++i) {
    const auto found = store->get(key_of(i));
    if (found) {
      EXPECT_EQ(*found, bytes_of(i));
    }
  }
  EXPECT_EQ(store->stats().corrupt, 0U);
  EXPECT_GT(store->stats().hits, 10U);
  EXPECT_LE(store->stats().bytes, kLimit);
}

TEST(CacheStore, LeavesWhatALivingWriterWrites) {
  const test::TempFolder folder;
  open_at(folder.path());
  const auto living = files::Temporary::file(folder / "tmp" / key_of(1));
  const fs::path dead = folder / "tmp" / (key_of(1) + ".zt-tmp.0123456789abcdef");
  std::ofstream(dead) << "half";

  open_at(folder.path());

  EXPECT_TRUE(fs::exists(living->path()));
  EXPECT_FALSE(fs::exists(dead));
}

}  // namespace
}  // namespace zt::data
