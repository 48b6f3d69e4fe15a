// SPDX-License-Identifier: Apache-2.0
#include "generate/pipeline/windows.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

namespace zt::generate {
namespace {

config::ContextJob context(int64_t frames, int64_t overlap, config::ContextMode mode) {
  config::ContextJob job;
  job.frames = frames;
  job.overlap = overlap;
  job.mode = mode;
  return job;
}

// tests/parity/context_windows.json: lists of the reference's own scheduler; the key holds its arguments.
TEST(UniformWindows, EqualTheReferenceLists) {
  std::ifstream file(ZT_SOURCE_DIR "/tests/parity/context_windows.json");
  const auto lists = nlohmann::json::parse(file);
  ASSERT_EQ(lists.size(), 10U);
  const std::regex pattern("(closed_loop_false_|step3_)?L(\\d+)_cf(\\d+)_st(\\d+)_ov(\\d+)");
  for (const auto& [key, wanted] : lists.items()) {
    std::smatch part;
    ASSERT_TRUE(std::regex_match(key, part, pattern)) << key;
    config::ContextJob job = context(std::stoll(part[3]), std::stoll(part[5]), config::ContextMode::Compat);
    job.stride = std::stoll(part[4]);
    job.closed_loop = part[1] != "closed_loop_false_";

    const auto found = uniform_windows(job, std::stoll(part[2]), part[1] == "step3_" ? 3 : 0);

    EXPECT_EQ(found, wanted.get<std::vector<std::vector<int64_t>>>()) << key;
  }
}

TEST(PlanWindows, CompatNeverShiftsAndWeighsAlike) {
  config::ContextJob job = context(24, 4, config::ContextMode::Compat);
  job.closed_loop = true;
  const auto windows = plan_windows(job, 64, 0);
  EXPECT_EQ(windows, plan_windows(job, 64, 3));
  ASSERT_EQ(windows.size(), 4U);
  EXPECT_EQ(windows[3].frames.back(), 19);
  for (const Window& window : windows) EXPECT_EQ(window.weights, std::vector<float>(24, 1.0F));
}

TEST(PlanWindows, BetterClampsTheLastWindowToTheClip) {
  const auto windows = plan_windows(context(24, 4, config::ContextMode::Better), 70, 0);
  ASSERT_EQ(windows.size(), 4U);
  EXPECT_EQ(windows[1].frames.front(), 20);
  EXPECT_EQ(windows[2].frames.front(), 40);
  EXPECT_EQ(windows[3].frames.front(), 46);
  EXPECT_EQ(windows[3].frames.back(), 69);
}

TEST(PlanWindows, BetterMovesTheSeamsFromStepToStep) {
  const auto job = context(24, 4, config::ContextMode::Better);
  std::set<int64_t> starts;
  for (int64_t step = 0; step < 8; ++step) starts.insert(plan_windows(job, 100, step)[1].frames.front());
  EXPECT_EQ(starts.size(), 8U);
}

// By hand: size 4, overlap 2, six frames -> [0..3], [2..5]; the clip's ends are no borders.
TEST(PlanWindows, BetterWeightsFallTowardsTheWindowsBorders) {
  const auto windows = plan_windows(context(4, 2, config::ContextMode::Better), 6, 0);
  ASSERT_EQ(windows.size(), 2U);
  EXPECT_EQ(windows[0].weights, (std::vector<float>{1, 0.75F, 0.5F, 0.25F}));
  EXPECT_EQ(windows[1].weights, (std::vector<float>{0.25F, 0.5F, 0.75F, 1}));
}

TEST(PlanWindows, BetterCoversEveryFrameInOrderForAnyLength) {
  for (const int64_t size : {1, 2, 5, 12}) {
    for (int64_t overlap = 0; overlap < size; ++overlap) {
      for (int64_t length = 1; length < 40; ++length) {
        for (int64_t step = 0; step < 5; ++step) {
          std::set<int64_t> seen;
          for (const auto& window :
               plan_windows(context(size, overlap, config::ContextMode::Better), length, step)) {
            ASSERT_EQ(window.frames.size(), static_cast<size_t>(std::min(size, length)));
            ASSERT_TRUE(std::ranges::all_of(window.weights, [](float w) { return w > 0 && w <= 1; }));
            seen.insert(window.frames.begin(), window.frames.end());
          }
          ASSERT_EQ(static_cast<int64_t>(seen.size()), length);
          ASSERT_EQ(*seen.begin(), 0);
          ASSERT_EQ(*seen.rbegin(), length - 1);
        }
      }
    }
  }
}

TEST(PlanWindows, GivesAClipThatFitsOneWindow) {
  for (const auto mode : {config::ContextMode::Better, config::ContextMode::Compat}) {
    const auto windows = plan_windows(context(24, 4, mode), 7, 2);
    ASSERT_EQ(windows.size(), 1U);
    EXPECT_EQ(windows[0].frames, (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(windows[0].weights, std::vector<float>(7, 1.0F));
  }
}

}  // namespace
}  // namespace zt::generate
