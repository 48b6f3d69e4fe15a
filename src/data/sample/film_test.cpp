// SPDX-License-Identifier: Apache-2.0
// What it costs to read a film of several shots, counted in bytes.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <thread>
#include <vector>

#include "data/content_digest.hpp"
#include "data/from_job.hpp"
#include "data/sample/load_sample.hpp"
#include "support/bytes_read.hpp"
#include "support/film.hpp"
#include "support/temp_folder.hpp"

namespace zt::data {
namespace {

class FilmOfShots : public testing::Test {
 protected:
  void SetUp() override {
    if (test::bytes_read() == 0)
      GTEST_SKIP() << "the kernel does not count what a process reads (/proc/self/io)";
  }
  uint64_t film_bytes() const { return std::filesystem::file_size(folder_ / "film.mp4"); }

  test::TempFolder folder_;
  ClipIndex index_ = test::write_film(folder_.path(), /*gop=*/12);
};

// It was read whole for each of its shots.
TEST_F(FilmOfShots, IsComparedWithItsDigestOnce) {
  ContentCheck check;
  const uint64_t before = test::bytes_read();

  std::vector<std::thread> threads;
  for (size_t clip = 0; clip < 4; ++clip)
    threads.emplace_back([&, clip] { EXPECT_TRUE(check.check(index_, clip)); });
  for (std::thread& thread : threads) thread.join();

  EXPECT_LT(test::bytes_read() - before, film_bytes() * 3 / 2);
  index_.clips[2].content[0] ^= 1;
  EXPECT_FALSE(check.check(index_, 2)) << "a record of another film";
  EXPECT_LT(test::bytes_read() - before, film_bytes() * 3 / 2) << "it has not changed since";
}

// All its packets were read before each sample.
TEST_F(FilmOfShots, IsGoneThroughOnceForAllSamples) {
  config::DataJob job;
  job.width = job.height = 32;
  LoadSampleOptions options = load_options(job, plan_options(job, /*stage=*/1, /*seed=*/0));
  options.parts = {.reference = false, .reference_whole = false, .targets = true, .poses = false};
  SamplePlan plan;
  plan.target_frames = {5};
  ASSERT_TRUE(load_sample(index_, plan, options));
  const uint64_t before = test::bytes_read();

  for (const size_t clip : {3U, 1U, 2U, 0U}) {
    plan.clip = clip;
    ASSERT_TRUE(load_sample(index_, plan, options));
  }

  EXPECT_LT(test::bytes_read() - before, film_bytes() * 3 / 2) << "four readers";
}

}  // namespace
}  // namespace zt::data
