// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <fstream>
#include <new>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "base/counter_rng.hpp"
#include "base/error_policy.hpp"
#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "base/parallel.hpp"
#include "base/signals.hpp"
#include "base/text/random_hex.hpp"
#include "base/text/text.hpp"
#include "base/thrown.hpp"
#include "support/pipes.hpp"
#include "support/temp_folder.hpp"

namespace zt {

TEST(RandomHex, HasTheDigitsAskedForAndDiffersEachTime) {
  const std::string one = random_hex(13), other = random_hex(13);
  EXPECT_EQ(one.size(), 13U);
  EXPECT_EQ(one.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(one, other);
}

TEST(Text, ANumberIsTheWholeText) {
  EXPECT_EQ(text::to_number<int64_t>("-12"), -12);
  EXPECT_EQ(text::to_number<double>("1e-3"), 1e-3);
  for (const std::string_view other : {"", " 12", "12 ", "12x", "+12", "x", "1.5", "0x10"})
    EXPECT_EQ(text::to_number<int64_t>(other), std::nullopt) << other;
  for (const std::string_view other : {"", " 1.5", "1.5x", "+1.5", "."})
    EXPECT_EQ(text::to_number<double>(other), std::nullopt) << other;
}

TEST(Text, ANumberThatDoesNotFitIsNone) {
  EXPECT_EQ(text::to_number<uint16_t>("65535"), 65535);
  EXPECT_EQ(text::to_number<uint16_t>("65536"), std::nullopt);
  EXPECT_EQ(text::to_number<uint64_t>("-1"), std::nullopt);
  EXPECT_EQ(text::to_number<int64_t>("9223372036854775808"), std::nullopt);
  EXPECT_EQ(text::to_number<double>("1e400"), std::nullopt);
}

TEST(ErrorPolicy, HasOneRowPerCodeInOrder) {
  const auto rows = error_policies();
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(static_cast<size_t>(rows[i].code), i);
  EXPECT_EQ(rows.size(), static_cast<size_t>(ErrorCode::Internal) + 1);
  EXPECT_EQ(policy(ErrorCode::Cancelled).exit_code, kExitResumable);
}

TEST(Files, ReadRefusesWhatIsLargerThanItsLimit) {
  const test::TempFolder folder;
  const std::filesystem::path path = folder / "sparse";
  ASSERT_TRUE(files::write_atomic(path, "x"));
  std::filesystem::resize_file(path, uintmax_t{1} << 40);  // no memory has room for it
  const auto text = files::read(path, 1 << 20);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, ErrorCode::Unsupported);
}

TEST(Files, APipeIsReadToItsEndAndCtrlCEndsTheWaitForItsWriter) {
  const test::TempFolder folder;
  const std::filesystem::path path = folder / "pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const std::string wanted(1 << 20, 'x');  // more than a pipe holds
  std::thread writer([&] { std::ofstream(path) << wanted; });
  const auto text = files::read(path);
  writer.join();
  ASSERT_TRUE(text) << text.error().text();
  EXPECT_EQ(*text, wanted);

  signals::install(signals::OnNow::Report);
  ::raise(SIGTERM);
  const auto stopped = files::read(path);
  signals::reset();
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::Cancelled);
}

TEST(Files, APipeInPlaceOfAFileOfDataIsRefusedAtOnce) {
  const test::TempFolder folder;
  const std::filesystem::path pipe = test::make_pipe(folder / "pipe");
  hash::Xxh128 sum;
  std::vector<Error> errors;
  const auto keep_error = [&](const auto& result) {
    if (!result) errors.push_back(result.error());
  };

  EXPECT_TRUE(test::comes_back(pipe, [&] { keep_error(files::Mapping::open(pipe)); }));
  EXPECT_TRUE(test::comes_back(pipe, [&] { keep_error(files::add_to(sum, pipe)); }));
  EXPECT_TRUE(test::comes_back(pipe, [&] { keep_error(files::read_regular(pipe, 100)); }));

  ASSERT_EQ(errors.size(), 3U);
  for (const Error& error : errors) {
    EXPECT_EQ(error.code, ErrorCode::InvalidArgument);
    EXPECT_EQ(error.message, pipe.string() + " is not a regular file");
  }
}

TEST(Files, TheSumOfFilesIsThatOfTheirBytesInOrder) {
  const test::TempFolder folder;
  const std::string large((size_t{3} << 20) + 5, 'x');  // several parts
  ASSERT_TRUE(files::write_atomic(folder / "a", large));
  ASSERT_TRUE(files::write_atomic(folder / "b", "end"));
  hash::Xxh128 sum;
  ASSERT_TRUE(files::add_to(sum, folder / "a"));
  ASSERT_TRUE(files::add_to(sum, folder / "b"));
  const std::string whole = large + "end";
  EXPECT_EQ(sum.hex(), hash::xxh128_hex(std::as_bytes(std::span(whole))));
  EXPECT_EQ(files::add_to(sum, folder / "none").error().code, ErrorCode::NotFound);
}

TEST(FilesDeathTest, AFileBeyondTheLimitOfTheShellIsAnErrorAndNoDeath) {
  const test::TempFolder folder;
  EXPECT_EXIT(
      {
        signals::install(signals::OnNow::Report);
        rlimit limit;  // ulimit -f
        limit.rlim_cur = limit.rlim_max = 1024;
        ::setrlimit(RLIMIT_FSIZE, &limit);
        const Status written = files::write_atomic(folder / "long", std::string(4096, 'x'));
        ::_exit(!written && written.error().code == ErrorCode::Exhausted ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(Files, AtomicWriteReplacesAndLeavesNoTemporaryFile) {
  const test::TempFolder folder;
  const auto path = folder / "a.txt";
  ASSERT_TRUE(files::write_atomic(path, "one"));
  ASSERT_TRUE(files::write_atomic(path, "two"));
  EXPECT_EQ(*files::read(path), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Files, OnlyWhatTheSystemDeniesIsAbsent) {
  const test::TempFolder folder;
  ASSERT_TRUE(files::write_atomic(folder / "a", "x"));

  EXPECT_FALSE(files::is_absent(folder / "a"));
  EXPECT_TRUE(files::is_absent(folder / "b"));
  EXPECT_TRUE(files::is_absent(folder / "a" / "below a file"));
  EXPECT_FALSE(files::is_absent(folder / std::string(300, 'n'))) << "the system can't say";
}

TEST(Files, MissingFolderIsNotFound) {
  const auto status = files::write_atomic("/nowhere/at/all/x", "x");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::NotFound);
}

// NotFound would send the user to look for a path that is there.
TEST(Files, WhereSomethingElseStandsNoFolderIsMade) {
  const test::TempFolder folder;
  ASSERT_TRUE(files::write_atomic(folder / "file", "x"));
  std::filesystem::create_symlink("nowhere", folder / "link");

  for (const char* name : {"file", "file/below", "link", "link/below", "link/"}) {
    const auto status = files::make_folders(folder / name);

    ASSERT_FALSE(status) << name;
    EXPECT_EQ(status.error().code, ErrorCode::InvalidArgument) << name;
    EXPECT_EQ(files::require_writable(folder / name / "x").error().code, ErrorCode::InvalidArgument) << name;
  }
  EXPECT_THAT(files::make_folders(folder / "file/below").error().message,
              testing::HasSubstr("and " + (folder / "file").string() + " is no folder: name another"));
  EXPECT_THAT(files::make_folders(folder / "link").error().message,
              testing::HasSubstr("is a link to nowhere, which is no folder: name another"));
  EXPECT_TRUE(files::make_folders(folder / "made/deep"));
  EXPECT_TRUE(files::make_folders(std::filesystem::path("film.mp4").parent_path())) << "the working folder";
  EXPECT_TRUE(files::make_folders(folder / "made/deep/")) << "it is there";
}

TEST(Files, FolderInPlaceOfAFileIsNothingToWaitFor) {
  const test::TempFolder folder;
  const auto bytes = files::read(folder.path());
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, ErrorCode::InvalidArgument);
}

// Advice to try again later would start a job again for nothing.
TEST(Files, PathsThatNoFileCanHaveAreTheUsersMistake) {
  const test::TempFolder folder;
  std::filesystem::create_symlink("loop", folder / "loop");

  const auto loop = files::read(folder / "loop", 100);
  const auto long_name = files::read(folder / std::string(300, 'a'), 100);

  ASSERT_FALSE(loop || long_name);
  EXPECT_EQ(loop.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(long_name.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(files::errno_error("map", "file", EINVAL).code, ErrorCode::InvalidArgument);
}

TEST(Files, WholePathOfNothingIsNothingAndNoException) {
  EXPECT_EQ(files::whole_path("/a"), "/a");
  EXPECT_EQ(files::whole_path(""), "");
}

TEST(Files, AtomicFileLeavesNothingWithoutCommit) {
  test::TempFolder folder;
  const auto path = folder / "big";
  {
    auto file = files::AtomicFile::create(path);
    ASSERT_TRUE(file && file->write("half"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));

  auto file = files::AtomicFile::create(path);
  ASSERT_TRUE(file && file->write("one ") && file->write("two") && file->commit());
  EXPECT_EQ(files::read(path).value(), "one two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

// As root, a file written to /dev/null would be the end of it.
TEST(Files, NothingTakesThePlaceOfAPipeOrADevice) {
  const test::TempFolder folder;
  const std::filesystem::path pipe = test::make_pipe(folder / "pipe"), link = folder / "link";
  std::filesystem::create_symlink("/dev/null", link);
  for (const std::filesystem::path& path : {pipe, link}) {
    const Status written = files::write_atomic(path, "text");
    ASSERT_FALSE(written) << path;
    EXPECT_EQ(written.error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(written.error().message,
              path.string() + " is a pipe or a device: a file would take its place, name another");
    EXPECT_EQ(files::require_writable(path).error().code, ErrorCode::InvalidArgument);
  }
  EXPECT_TRUE(std::filesystem::is_fifo(pipe) && std::filesystem::is_symlink(link));
  std::filesystem::remove(pipe);
  std::filesystem::remove(link);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

// /dev/stdout leads to a regular file after `>file`: as root, the link in /dev would be lost.
TEST(Files, NothingTakesThePlaceOfALinkToAnOpenFile) {
  const test::TempFolder folder;
  const auto file = files::Descriptor::open(folder / "file", O_RDWR | O_CREAT, 0600);
  const std::filesystem::path open = fmt::format("/proc/self/fd/{}", file.get());
  std::filesystem::create_symlink(open, folder / "link");
  std::filesystem::create_symlink("link", folder / "link_to_link");

  for (const std::filesystem::path& path : {open, folder / "link", folder / "link_to_link"}) {
    const Status written = files::write_atomic(path, "text");
    ASSERT_FALSE(written) << path;
    EXPECT_EQ(written.error().code, ErrorCode::InvalidArgument);
    EXPECT_EQ(written.error().message, path.string() +
                                           " stands for a file that is open: a new file would take "
                                           "its place, name the file itself");
  }
  EXPECT_EQ(std::filesystem::read_symlink(folder / "link"), open);
}

TEST(Files, RequireWritableLooksBeforeTheWorkAndLeavesNothing) {
  const test::TempFolder folder;
  ASSERT_TRUE(files::write_atomic(folder / "file", "x"));

  EXPECT_TRUE(files::require_writable(folder / "not/yet/there.mp4"));
  EXPECT_TRUE(files::require_writable(folder / "file"));
  EXPECT_EQ(files::require_writable(folder.path()).error().code, ErrorCode::InvalidArgument);
  EXPECT_FALSE(files::require_writable(folder / "file" / "below.mp4"));

  const auto left = std::filesystem::recursive_directory_iterator(folder.path());
  EXPECT_EQ(std::distance(begin(left), end(left)), 1) << "the file that was there";
  EXPECT_EQ(*files::read(folder / "file"), "x");
}

TEST(Files, RequireWritableFolderNamesNoFileOfItsOwn) {
  const test::TempFolder folder;
  ASSERT_TRUE(files::write_atomic(folder / "file", "x"));

  EXPECT_TRUE(files::require_writable_folder(folder.path()));
  EXPECT_TRUE(files::require_writable_folder(folder / "not/yet"));
  EXPECT_FALSE(files::require_writable_folder(folder / "file"));

  const auto left = std::filesystem::recursive_directory_iterator(folder.path());
  EXPECT_EQ(std::distance(begin(left), end(left)), 1) << "the file that was there";
}

TEST(Files, SecondLockNamesTheHolder) {
  const test::TempFolder folder;
  auto first = files::Lock::acquire(folder / "lock");
  ASSERT_TRUE(first);
  const auto second = files::Lock::acquire(folder / "lock");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::Unavailable);
  EXPECT_NE(second.error().message.find("pid " + std::to_string(::getpid())), std::string::npos);
}

// flock comes before the name is written, and the file still holds that of the one before.
TEST(Files, ALockWhoseHolderHasNotSaidItsNameYetIsOfOneThatIsStarting) {
  const test::TempFolder folder;
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(files::Lock::acquire(folder / "lock") ? 0 : 1);
  int status = -1;
  ::waitpid(dead, &status, 0);
  ASSERT_EQ(status, 0);
  const int fd = ::open((folder / "lock").c_str(), O_RDWR);
  ASSERT_EQ(::flock(fd, LOCK_EX | LOCK_NB), 0);

  const auto before = files::Lock::acquire(folder / "lock");
  std::thread holder([&] { ASSERT_EQ(::pwrite(fd, "pid 1 on elsewhere", 18, 0), 18); });
  const auto after = files::Lock::acquire(folder / "lock");
  holder.join();
  ::close(fd);

  ASSERT_FALSE(before);
  EXPECT_NE(before.error().message.find("(one that is just starting)"), std::string::npos)
      << before.error().message;
  ASSERT_FALSE(after);
  EXPECT_NE(after.error().message.find("(pid 1 on elsewhere"), std::string::npos) << after.error().message;
}

TEST(Hash, Sha256OfAbcIsTheStandardsValue) {  // FIPS 180-4, example B.1
  EXPECT_EQ(hash::sha256_hex(std::string_view("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Hash, ASumInPartsIsTheSumOfTheWhole) {
  const std::string text(10'000, 'x');
  const auto bytes = std::as_bytes(std::span(text));
  hash::Xxh64 parts(/*seed=*/7);
  parts.update(bytes.first(3));
  parts.update(bytes.subspan(3, 0));
  parts.update(bytes.subspan(3));
  EXPECT_EQ(parts.digest(), hash::xxh64(text, 7));
}

TEST(CounterRng, PhiloxMatchesThePublishedVectors) {  // Random123 kat_vectors, philox4x32 10 rounds
  const auto zero = philox4x32({0, 0}, {0, 0, 0, 0});
  EXPECT_EQ(zero, (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t f = 0xffffffff;
  EXPECT_EQ(philox4x32({f, f}, {f, f, f, f}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(CounterRng, BelowStaysInRangeAndReachesBothEnds) {
  CounterRng rng(1, 2, 3);
  std::array<int, 3> seen{};
  for (int i = 0; i < 300; ++i) ++seen.at(rng.below(3));
  EXPECT_GT(*std::min_element(seen.begin(), seen.end()), 60);
}

TEST(Files, AFileOfTwoNamesTakesItsRoomOnce) {
  const test::TempFolder folder;
  const std::string text(100'000, 'x');
  ASSERT_TRUE(files::make_folders(folder / "a/b"));
  ASSERT_TRUE(files::write_atomic(folder / "a/one", text));
  const uint64_t one = files::used_bytes(folder.path());
  std::filesystem::create_hard_link(folder / "a/one", folder / "a/b/other");

  EXPECT_GE(one, text.size());
  EXPECT_LE(one, text.size() + (64 << 10));
  EXPECT_EQ(files::used_bytes(folder.path()), one);
  ASSERT_TRUE(files::write_atomic(folder / "a/b/two", text));
  EXPECT_EQ(files::used_bytes(folder.path()), 2 * one);
  EXPECT_EQ(files::used_bytes(folder / "absent"), 0);
}

TEST(Parallel, RunsEveryIndexOnceAndRethrows) {
  std::vector<std::atomic<int>> hits(100);
  parallel_for(100, 4, [&](size_t i) { ++hits[i]; });
  for (auto& h : hits) EXPECT_EQ(h, 1);
  EXPECT_THROW(parallel_for(10, 3,
                            [](size_t i) {
                              if (i == 5) throw std::runtime_error("x");
                            }),
               std::runtime_error);
}

TEST(Text, DurationsBeyondAllTimeAreSaidInWords) {
  EXPECT_EQ(text::duration(std::chrono::duration<double>(7260)), "2 h 01 min");
  for (const double s : {1e11, 1e300, double{HUGE_VAL}, double{NAN}})
    EXPECT_EQ(text::duration(std::chrono::duration<double>(s)), "for ever") << s;
}

TEST(Text, NearestFindsATypoAndRefusesAStranger) {
  const std::vector<std::string> keys{"learning_rate", "max_train_steps"};
  EXPECT_EQ(text::nearest("lerning_rate", keys), "learning_rate");
  EXPECT_EQ(text::nearest("zzz", keys), "");
}

TEST(Text, Utf8IsJudgedAsInRfc3629) {
  for (const std::string good :
       {"", "abc", "\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(text::is_utf8(good)) << text::quoted(good);
  }
  for (const std::string bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "a\xFF"}) {
    EXPECT_FALSE(text::is_utf8(bad)) << text::quoted(bad);
  }
}

// ESC, the 8-bit CSI as bytes and in UTF-8, DEL and CR, which would overwrite the line.
TEST(Error, TextGivesATerminalNothingToObey) {
  const Error error{ErrorCode::NotFound, "cannot open a\x1b[31m\tb\r\x7f\xC2\x9B.\n\xC3\xA4", {"in \x07"}};
  EXPECT_EQ(error.text(), "cannot open a?[31m\tb???.\n\xC3\xA4 (in ?)");
}

TEST(Text, OutsideTextIsQuotedForMessages) {
  EXPECT_EQ(text::quoted("a\"b\x1B[2J\n"), "\"a\\\"b\\x1b[2J\\x0a\"");
  EXPECT_EQ(text::quoted("abcdef", 3), "\"abc\"... (6 bytes)");
}

TEST(ErrorOf, WhatTheSystemLacksIsNoBug) {
  EXPECT_EQ(error_of(std::bad_alloc()).code, ErrorCode::Exhausted);
  const Error no_thread =
      error_of(std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again)));
  EXPECT_EQ(no_thread.code, ErrorCode::Exhausted);
  EXPECT_NE(no_thread.text().find("ulimit -u"), std::string::npos);
  EXPECT_EQ(error_of(std::system_error(std::make_error_code(std::errc::io_error))).code, ErrorCode::Internal);
  EXPECT_EQ(error_of(std::logic_error("x")).text(), "x");
}

}  // namespace zt
