// SPDX-License-Identifier: Apache-2.0
#include "exchange/snapshot_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <string>

#include "base/hash.hpp"

namespace zt::exchange {
namespace {

constexpr size_t kBytes = 100;

files::Descriptor make_file() { return *SnapshotFile::make(); }

/// A snapshot of kBytes letters.
void keep(SnapshotFile& file, int64_t step, char letter) {
  const std::span<std::byte> room = file.begin().first(kBytes);
  std::memset(room.data(), letter, kBytes);
  file.commit(step, /*generation=*/1, kBytes, hash::xxh64(room, static_cast<uint64_t>(step)));
}

/// "step:letter " of every whole snapshot that a successor finds; "?" for one of mixed letters.
std::string found(int fd) {
  const SnapshotFile file = *SnapshotFile::open(fd);
  std::string out;
  for (const SnapshotFile::Held& held : file.held()) {
    const std::string text(reinterpret_cast<const char*>(held.bytes.data()), held.bytes.size());
    const bool is_pure = text.find_first_not_of(text[0]) == std::string::npos;
    out += std::to_string(held.step) + ":" + (is_pure ? text[0] : '?') + " ";
  }
  return out;
}

/// A process that runs `body` and dies at its end, without a destructor.
void die_after(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
}

TEST(SnapshotFile, HoldsTheLastTwoAfterItsWriterDied) {
  const files::Descriptor fd = make_file();

  die_after([&] {
    auto file = *SnapshotFile::open(fd.get());
    if (!file.reserve(kBytes)) ::_exit(1);
    for (int64_t step = 1; step <= 3; ++step) keep(file, step, static_cast<char>('a' + step));
  });

  EXPECT_EQ(found(fd.get()), "2:c 3:d ");
}

TEST(SnapshotFile, DeathAfterAnyByteOfACopyLeavesTheOneBefore) {
  const files::Descriptor fd = make_file();
  auto file = *SnapshotFile::open(fd.get());
  ASSERT_TRUE(file.reserve(kBytes));
  keep(file, 1, 'a');

  for (size_t copied = 0; copied <= kBytes; ++copied) {
    keep(file, 2, 'b');
    std::memset(file.begin().data(), 'c', copied);  // of step 3, in place of step 1

    EXPECT_EQ(found(fd.get()), "2:b ") << copied << " bytes";
    keep(file, 1, 'a');  // back to the start
    file.drop_after(1);
  }
}

TEST(SnapshotFile, CopyCountsOnlyWithTheChecksumOfItsOriginal) {
  const files::Descriptor original_fd = make_file(), copy_fd = make_file();
  auto original = *SnapshotFile::open(original_fd.get()), copy = *SnapshotFile::open(copy_fd.get());
  ASSERT_TRUE(original.reserve(kBytes) && copy.reserve(kBytes));
  keep(original, 1, 'a');
  keep(original, 2, 'b');
  const SnapshotFile::Held newest = *original.newest();
  EXPECT_EQ(newest.step, 2);
  const auto pass_on = [&](size_t changed) {
    std::memcpy(copy.begin().data(), newest.bytes.data(), kBytes - changed);
    return copy.commit_copy(newest.step, newest.generation, kBytes, newest.check);
  };

  EXPECT_EQ(pass_on(/*changed=*/1).error().code, ErrorCode::Corrupt);
  EXPECT_EQ(found(copy_fd.get()), "");
  EXPECT_TRUE(pass_on(/*changed=*/0));
  EXPECT_EQ(found(copy_fd.get()), "2:b ");
}

// What begin() and commit() order can't show: bytes that change under a record that says "whole".
// Beside a good copy of the same step, which came from another rank's memory: it is never given for that.
TEST(SnapshotFile, ForgetsADamagedOne) {
  const files::Descriptor fd = make_file();
  auto file = *SnapshotFile::open(fd.get());
  ASSERT_TRUE(file.reserve(kBytes));
  keep(file, 6, 'a');
  const_cast<std::byte&>(file.newest()->bytes[10]) ^= std::byte{1};
  ASSERT_TRUE(file.held().empty());

  keep(file, 6, 'b');

  ASSERT_TRUE(file.newest());
  EXPECT_EQ(file.newest()->bytes[0], std::byte{'b'});
  keep(file, 7, 'c');
  EXPECT_EQ(found(fd.get()), "6:b 7:c ");
}

TEST(SnapshotFile, PrefixOfAnotherSnapshotIsNotTakenForOne) {
  const files::Descriptor fd = make_file();
  auto file = *SnapshotFile::open(fd.get());
  ASSERT_TRUE(file.reserve(kBytes));
  keep(file, 1, 'a');
  const auto held = *file.newest();
  const std::span<std::byte> room(const_cast<std::byte*>(held.bytes.data()), kBytes);

  for (size_t torn = 0; torn < kBytes; ++torn) {
    EXPECT_EQ(found(fd.get()), torn == 0 ? "1:a " : "");
    room[torn] = std::byte{'b'};
  }
}

TEST(SnapshotFile, DroppedStepsAreWrittenAgainWithoutLosingTheOneKept) {
  const files::Descriptor fd = make_file();
  auto file = *SnapshotFile::open(fd.get());
  ASSERT_TRUE(file.reserve(kBytes));
  keep(file, 4, 'a');
  keep(file, 5, 'b');

  file.drop_after(4);

  EXPECT_EQ(found(fd.get()), "4:a ");
  keep(file, 5, 'c');
  EXPECT_EQ(found(fd.get()), "4:a 5:c ");
}

TEST(SnapshotFile, ReservingWhatFitsKeepsAndMoreEmpties) {
  const files::Descriptor fd = make_file();
  auto file = *SnapshotFile::open(fd.get());
  ASSERT_TRUE(file.reserve(kBytes));
  keep(file, 1, 'a');

  ASSERT_TRUE(file.reserve(kBytes));
  EXPECT_EQ(found(fd.get()), "1:a ");
  ASSERT_TRUE(file.reserve(kBytes + (32 << 10))) << "a little more";
  EXPECT_EQ(found(fd.get()), "1:a ");
  ASSERT_TRUE(file.reserve(kBytes / 2));
  EXPECT_EQ(found(fd.get()), "1:a ");
  ASSERT_TRUE(file.reserve(kBytes * 1000));
  EXPECT_EQ(found(fd.get()), "");
}

TEST(SnapshotFile, ThatWasNeverReservedHoldsNothing) {
  const files::Descriptor fd = make_file();

  EXPECT_EQ(found(fd.get()), "");
}

TEST(SnapshotFile, OfADeathWhileRoomWasMadeHoldsNothing) {
  const files::Descriptor fd = make_file();
  ASSERT_EQ(::ftruncate(fd.get(), 3 * 4096), 0);

  EXPECT_EQ(found(fd.get()), "");
}

TEST(SnapshotFile, OtherDescriptorsAreRefused) {
  const auto folder = files::Descriptor::open("/proc/self", O_RDONLY);

  EXPECT_EQ(SnapshotFile::open(folder.get()).error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(SnapshotFile::open(-1).error().code, ErrorCode::InvalidArgument);
}

TEST(SnapshotFile, MoreThanThereIsIsAnError) {
  const files::Descriptor fd = make_file();
  auto file = *SnapshotFile::open(fd.get());
  ASSERT_TRUE(file.reserve(kBytes));

  EXPECT_EQ(file.reserve(size_t{1} << 50).error().code, ErrorCode::Exhausted);
  struct stat facts {};
  ASSERT_EQ(::fstat(fd.get(), &facts), 0);
  EXPECT_EQ(facts.st_size, 0);
}

}  // namespace
}  // namespace zt::exchange
