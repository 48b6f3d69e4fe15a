// SPDX-License-Identifier: Apache-2.0
#include "config/meaning/run_context.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace zt::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Trained with_clips_of(int64_t clip_frames, int64_t stage = 2) {
  TrainJob run;
  run.stage = stage;
  run.data.n_sample_frames = clip_frames;
  run.model.motion.max_len = 32;
  return {std::move(run), "walk", "run walk"};
}

Resolved<GenerateJob> job_with(std::vector<std::string> sets) {
  return load<GenerateJob>({{}, std::move(sets)}).value();
}

TEST(RunContext, LeftOpenItIsTheLengthOfTheRunsClips) {
  auto resolved = job_with({});

  const auto lines = fit_context(with_clips_of(4), resolved);

  ASSERT_TRUE(lines);
  EXPECT_THAT(*lines, ElementsAre("context.frames=4, the length of the clips that walk was trained on"));
  EXPECT_EQ(resolved.job.context.frames, 4);
  EXPECT_EQ(resolved.job.context.overlap, 3);
  EXPECT_EQ(resolved.origins.at("context.frames"), "run walk");
}

TEST(RunContext, LeftOpenItStaysBelowLongerClips) {
  auto resolved = job_with({});

  EXPECT_THAT(fit_context(with_clips_of(32), resolved).value(), IsEmpty());
  EXPECT_EQ(resolved.job.context.frames, GenerateJob{}.context.frames);
}

// It was cut to the clip length by the worker, which the dry run did not show.
TEST(RunContext, WhatSomebodySetCountsUpToTheLastPosition) {
  for (const int64_t frames : {2, 16, 32}) {
    auto resolved = job_with({"context.frames=" + std::to_string(frames), "context.overlap=1"});

    const auto lines = fit_context(with_clips_of(4), resolved);

    ASSERT_TRUE(lines) << lines.error().text();
    EXPECT_EQ(resolved.job.context.frames, frames);
    EXPECT_EQ(resolved.job.context.overlap, 1);
    EXPECT_EQ(lines->size(), frames > 4 ? 1U : 0U) << "past the clips of training";
  }
  auto beyond = job_with({"context.frames=33"});

  const auto refused = fit_context(with_clips_of(4), beyond);

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::InvalidConfig);
  EXPECT_THAT(refused.error().message,
              HasSubstr("context.frames (33, --set) is longer than model.motion.max_len (32) of walk"));
}

TEST(RunContext, AnOverlapIsComparedWithTheWindowThatCounts) {
  auto too_wide = job_with({"context.overlap=4"}), fits = job_with({"context.overlap=2"});

  const auto refused = fit_context(with_clips_of(4), too_wide);

  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              HasSubstr("context.overlap (4, --set) must be less than context.frames (4, run walk)"));
  EXPECT_TRUE(fit_context(with_clips_of(4), fits));
  EXPECT_EQ(fits.job.context.overlap, 2);
}

TEST(RunContext, OfFramesThatAreAloneIsAsItWas) {
  auto resolved = job_with({"context.frames=4096"});

  EXPECT_THAT(fit_context(with_clips_of(1, 1), resolved).value(), IsEmpty());
  EXPECT_EQ(resolved.job.context.frames, 4096);
}

}  // namespace
}  // namespace zt::config
