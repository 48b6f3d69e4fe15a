// SPDX-License-Identifier: Apache-2.0
// What a second call takes over from the first, and what it does not.
#include "data/ingest/internal/journal.hpp"

#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>
#include <optional>

#include "base/signals.hpp"
#include "support/closed_folder.hpp"
#include "support/descriptor_limit.hpp"
#include "support/ingest_fixture.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;
using test::drifting_clip;
using ::testing::HasSubstr;

class IngestAgain : public IngestTest {
 protected:
  // Nothing on this thread's account may be written elsewhere while something is closed.
  IngestAgain() {
    job_.threads = 1;
    job_.output = path("out").string();
    fs::create_directory(job_.output);
    fs::permissions(job_.output, fs::perms::all);
  }
  // One that finds somebody in every frame, or fails with this code; counts its calls.
  PoseEstimator estimator(std::optional<ErrorCode> failure = {}) {
    return [this, failure](const PoseRequest& request) -> Result<KeypointClip> {
      ++num_searches_;
      if (failure) return fail(*failure, "not this time");
      KeypointClip found{.width = 64, .height = 48, .fps_num = 25, .source = "test", .frames = {}};
      for (int64_t f = 0; f < request.num_frames; ++f) found.frames.push_back(Puppet({}, 1, 1).keypoints(0));
      return found;
    };
  }
  int num_searches_ = 0;
};

// "no-permission" came out of the journal after the chmod, too.
TEST_F(IngestAgain, LooksAtAVideoThatMayBeReadByNow) {
  write_pair("a.mp4");
  write_pair("b.mp4");
  {
    const test::ClosedFolder closed(folder_, path("set/b.mp4"));
    if (!closed.is_closed()) GTEST_SKIP() << "nothing can be closed to this process";
    const IngestReport report = run();
    EXPECT_EQ(reason(report.rejects, "b.mp4"), "no-permission");
    EXPECT_EQ(report.clips, 1);
  }

  const IngestReport report = run();

  EXPECT_EQ(report.clips, 2);
  EXPECT_EQ(report.unchanged, 1);
}

TEST_F(IngestAgain, SearchesAgainUnlessTheFootageWasAtFault) {
  write_video("film.mov", drifting_clip(64, 48, 10));
  for (const ErrorCode code : {ErrorCode::Permission, ErrorCode::Unavailable, ErrorCode::Exhausted,
                               ErrorCode::Internal, ErrorCode::Corrupt})
    EXPECT_FALSE(ingest(job_, estimator(code)));
  EXPECT_EQ(num_searches_, 5);

  EXPECT_FALSE(ingest(job_, estimator())) << "corrupt is what the film is";

  EXPECT_EQ(num_searches_, 5);
}

TEST_F(IngestAgain, EndsWhenItIsStoppedAndGoesOnLater) {
  write_video("a.mov", drifting_clip(64, 48, 10));
  write_video("b.mov", drifting_clip(64, 48, 10));
  signals::install(signals::OnNow::Report);
  int num_stopped = 0;

  const auto stopped = ingest(job_, [&](const PoseRequest&) -> Result<KeypointClip> {
    ++num_stopped;
    ::raise(SIGTERM);
    return fail(ErrorCode::Cancelled, "stopped on request");
  });
  signals::reset();

  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::Cancelled);
  EXPECT_EQ(num_stopped, 1);
  EXPECT_FALSE(fs::exists(path("out/index.jsonl")));
  EXPECT_EQ(run(estimator()).clips, 2);
}

// The index named a file that was not there.
TEST_F(IngestAgain, FindsKeypointsAgainThatWereRemoved) {
  write_video("a.mov", drifting_clip(64, 48, 10));
  write_video("b.mov", drifting_clip(64, 48, 10));
  run(estimator());
  fs::remove(path("out/keypoints/a.jsonl"));
  num_searches_ = 0;

  const IngestReport report = run(estimator());

  EXPECT_EQ(report.unchanged, 1);
  EXPECT_EQ(num_searches_, 1);
  EXPECT_TRUE(fs::exists(path("out/keypoints/a.jsonl")));
}

TEST_F(IngestAgain, StrictSaysWithItsCodeThatAFolderIsClosed) {
  write_video("films/a.mov", drifting_clip(64, 48, 10));
  job_.input = path("films").string();
  job_.strict = true;
  const test::ClosedFolder closed(folder_, path("films"));
  if (!closed.is_closed()) GTEST_SKIP() << "nothing can be closed to this process";

  const auto report = ingest(job_);

  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::Permission);
}

// The index held the clips for which there happened to be descriptors.
TEST_F(IngestAgain, TooManyOpenFilesLeaveNoIndexAndTheSameCallGoesOn) {
  for (const char* name : {"a.mp4", "b.mp4", "c.mp4"}) write_pair(name);
  job_.input = path("").string();
  job_.threads = 1;
  job_.output = path("out").string();

  const auto starved = [&] {
    const test::DescriptorLimit limit(3);  // lock, journal and one video
    return ingest(job_);
  }();

  ASSERT_FALSE(starved);
  EXPECT_EQ(starved.error().code, ErrorCode::Exhausted);
  EXPECT_THAT(starved.error().message,
              HasSubstr("Too many open files: no index is written: this process has too little"));
  EXPECT_FALSE(fs::exists(path("out/index.jsonl")));
  EXPECT_EQ(run().clips, 3);
}

TEST_F(IngestAgain, AFullDiskUnderKeypointsEndsIt) {
  write_video("a.mov", drifting_clip(64, 48, 10));
  write_video("b.mov", drifting_clip(64, 48, 10));

  const auto full = ingest(job_, estimator(ErrorCode::Exhausted));

  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::Exhausted);
  EXPECT_FALSE(fs::exists(path("out/index.jsonl")));
}

}  // namespace
}  // namespace zt::data
