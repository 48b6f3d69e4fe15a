// SPDX-License-Identifier: Apache-2.0
// Ranks that train together make the steps of one process, bit for bit: here each rank is a thread with
// networks of its own, and they meet through a real store and real shared memory.
#include "train/ranks/ranks.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <mutex>
#include <new>
#include <thread>
#include <tuple>

#include "checkpoint/reader.hpp"
#include "support/temp_folder.hpp"
#include "support/training_ranks.hpp"

namespace zt::train {
namespace {

using namespace std::chrono_literals;

using namespace test::ranks;

using Case = std::tuple<int64_t, int64_t, int>;  ///< stage, ZeRO stage, ranks
class SameBits : public ::testing::TestWithParam<Case> {};

TEST_P(SameBits, AsOneProcess) {
  const auto [stage, zero_stage, ranks] = GetParam();
  const config::TrainJob job = job_of(stage, zero_stage);
  expect_same(trained(job, ranks, 3), trained(job, 1, 3));
}

INSTANTIATE_TEST_SUITE_P(OfRanks, SameBits,
                         ::testing::Values(Case{1, 0, 2}, Case{1, 1, 2}, Case{1, 1, 4}, Case{1, 2, 4},
                                           Case{1, 3, 2}, Case{1, 3, 4}, Case{2, 0, 4}, Case{2, 1, 2},
                                           Case{2, 2, 2}, Case{2, 3, 4}));

// Recomputed units gather their weights a second time inside autograd; frozen ones in front of the first that
// trains see no backward pass.
TEST(SameBits, WhenActivationsAreRecomputed) {
  for (const int64_t stage : {1, 2}) {
    config::TrainJob job = job_of(stage, 3);
    job.freeze = {"reference_unet.conv_in", "reference_unet.down_blocks.0"};
    const Trained kept = trained(job, 1, 2);
    job.gradient_checkpointing = true;
    expect_same(trained(job, 4, 2), kept);
  }
}

// Two copies of the state on two ranks each.
TEST(SameBits, WithCopiesOfShards) {
  for (const int64_t zero_stage : {1, 2, 3}) {
    config::TrainJob job = job_of(1, zero_stage);
    job.parallel.shard_ranks = 2;
    expect_same(trained(job, 4, 2), trained(job, 1, 2));
  }
}

// Between hosts: transfers run from their start on, and read and write the slots of units until they are
// waited for.
TEST(SameBits, OverGloo) {
  for (const auto& [stage, zero_stage, shard_ranks] :
       {std::tuple(1, 0, 0), std::tuple(1, 2, 0), std::tuple(2, 3, 0), std::tuple(1, 1, 2),
        std::tuple(1, 2, 2), std::tuple(2, 3, 2)}) {
    SCOPED_TRACE(fmt::format("stage {}, ZeRO-{}, copies of {}", stage, zero_stage, shard_ranks));
    config::TrainJob job = job_of(stage, zero_stage);
    const Trained alone = trained(job, 1, 2);
    job.parallel.shard_ranks = shard_ranks;
    expect_same(trained(job, 4, 2, {.backend = "gloo"}), alone);
  }
}

// Recomputed units gather inside autograd; units have stages and copies of their own; sums in parts are added
// to those of earlier passes (other bits than one process, so those of shared memory are the measure).
TEST(SameBits, OverGlooInOtherForms) {
  config::TrainJob job = job_of(2, 3);
  job.gradient_checkpointing = true;
  expect_same(trained(job, 2, 2, {.backend = "gloo"}), trained(job, 1, 2));
  job = job_of(1, 3);
  const Trained alone = trained(job, 1, 2);
  job.parallel.shard_ranks = 2;
  job.parallel.units = {"mid_block=0", "down_blocks.0=1/all", "down_blocks.1=3/all", "up_blocks.1=2"};
  expect_same(trained(job, 4, 2, {.backend = "gloo"}), alone);
  for (const int64_t zero_stage : {2, 3}) {
    job = job_of(1, zero_stage);
    job.parallel.accumulation = config::Accumulation::Parts;
    job.optimizer.gradient_accumulation_steps = 2;
    expect_same(trained(job, 2, 2, {.backend = "gloo"}), trained(job, 2, 2));
  }
}

TEST(SameBits, WithOffloadedState) {
  for (const int64_t zero_stage : {1, 2, 3}) {
    config::TrainJob job = job_of(1, zero_stage);
    job.parallel.shard_ranks = zero_stage == 1 ? 2 : 0;
    expect_same(trained(job, 4, 2, {.is_offloaded = true}), trained(job, 1, 2));
  }
}

// ZeRO-3 with some units as in ZeRO-2.
TEST(SameBits, WithUnitsThatAreKeptWhole) {
  config::TrainJob job = job_of(2, 3);
  job.parallel.keep_whole = {"mid_block", "down_blocks.1"};
  expect_same(trained(job, 4, 2), trained(job, 1, 2));
}

// Every stage in one run; with copies of two ranks, some units shared by all four.
TEST(SameBits, WithUnitsOfStagesOfTheirOwn) {
  for (const int64_t stage : {1, 2}) {
    const Trained alone = trained(job_of(stage, 0), 1, 2);
    config::TrainJob job = job_of(stage, 3);
    job.parallel.units = {"mid_block=0", "down_blocks.0=1", "up_blocks.1=2"};
    expect_same(trained(job, 4, 2), alone);
    job.parallel.shard_ranks = 2;
    job.parallel.units = {"mid_block=0", "down_blocks.0=1/all", "down_blocks.1=3/all", "up_blocks.0=2/all",
                          "up_blocks.1=1"};
    expect_same(trained(job, 4, 2), alone);
    job.parallel.zero_stage = 0;
    expect_same(trained(job, 4, 2), alone);
  }
}

// A lane adds its micro batches up as the tree adds neighbouring lanes.
TEST(SameBits, WithTwoMicroBatchesInsteadOfTwiceTheLanes) {
  for (const auto& [stage, zero_stage] :
       {std::pair(1, 0), std::pair(1, 3), std::pair(2, 1), std::pair(2, 2)}) {
    SCOPED_TRACE(fmt::format("stage {}, ZeRO-{}", stage, zero_stage));
    config::TrainJob job = job_of(stage, zero_stage);
    const Trained four_lanes = trained(job, 1, 2);
    job.lanes = 2;
    job.optimizer.gradient_accumulation_steps = 2;
    expect_same(trained(job, 2, 2), four_lanes);
  }
}

// Three or six lanes a rank: as the tree over twelve cuts them.
TEST(SameBits, WithLanesThatAreNoPowerOfTwo) {
  config::TrainJob job = job_of(1, 1);
  job.lanes = 12;
  const Trained alone = trained(job, 1, 2);
  expect_same(trained(job, 2, 2), alone);
  job.parallel.zero_stage = 3;
  expect_same(trained(job, 4, 2), alone);
}

// Two threads inside each lane, whether a rank's lanes have theirs side by side or one after the other.
TEST(SameBits, WithSeveralThreadsInEachLane) {
  const auto train = [](int ranks, int64_t zero_stage, int64_t threads_of_lane) {
    config::TrainJob job = job_of(2, zero_stage);  // two threads cut a clip in two
    job.threads = job.lanes / ranks * threads_of_lane;
    Trained result;  // on a thread of its own: libtorch's are gone with it, before other tests fork
    std::thread([&] { result = trained(job, ranks, 2); }).join();
    return result;
  };
  const Trained alone = train(1, 0, 2);
  for (const int64_t zero_stage : {0, 3}) {
    SCOPED_TRACE(fmt::format("ZeRO-{}", zero_stage));
    expect_same(train(2, zero_stage, 2), alone);
  }
  std::printf("with one thread in each lane: %s\n", train(1, 0, 1).norms == alone.norms
                                                        ? "the same bits too, so that nothing was compared"
                                                        : "other bits");
}

TEST(SameBits, InBf16WithAccumulation) {
  config::TrainJob job = job_of(1, 3);
  job.precision.mixed_precision = config::MixedPrecision::Bf16;
  job.optimizer.gradient_accumulation_steps = 2;
  expect_same(trained(job, 4, 2), trained(job, 1, 2));
}

TEST(SameBits, WithBf16Weights) {
  for (const auto kept : {config::TrainedWeights::Bf16, config::TrainedWeights::Bf16Stochastic}) {
    config::TrainJob job = job_of(1, 3);
    job.precision.mixed_precision = config::MixedPrecision::Bf16;
    job.precision.trained_weights = kept;
    expect_same(trained(job, 4, 2), trained(job, 1, 2));
  }
}

struct Leg {
  int ranks = 1;
  int64_t zero_stage = 0;
  int64_t shard_ranks = 0;
  std::vector<std::string> units = {};
};

/// stage, ZeRO stage, micro batches, ranks, bf16
using Cell = std::tuple<int64_t, int64_t, int64_t, int, bool>;
class Matrix : public ::testing::TestWithParam<Cell> {
 protected:
  void expect_bits_of_one_process();
  static config::TrainJob job_of_cell(int64_t zero_stage) {
    const auto [stage, any_zero_stage, micro_batches, ranks, is_half] = GetParam();
    config::TrainJob job = job_of(stage, zero_stage);
    job.optimizer.gradient_accumulation_steps = micro_batches;
    if (is_half) job.precision.mixed_precision = config::MixedPrecision::Bf16;
    return job;
  }
  /// One process, four steps. The same for all ZeRO stages and numbers of ranks.
  static const Trained& alone() {
    const auto [stage, zero_stage, micro_batches, ranks, is_half] = GetParam();
    static std::map<std::tuple<int64_t, int64_t, bool>, Trained> known;
    const auto [found, is_new] = known.try_emplace({stage, micro_batches, is_half});
    if (is_new) {
      run_ranks(job_of_cell(0), 1, [&](int, Rank& one) {
        one.train(4, found->second);
        collect(one.state_pieces(), found->second.state);
      });
    }
    return found->second;
  }
};

class PairwiseMatrix : public Matrix {};

/// Two steps, saved; then another number of ranks with another ZeRO stage goes on from there.
void Matrix::expect_bits_of_one_process() {
  const auto [stage, zero_stage, micro_batches, ranks, is_half] = GetParam();
  const test::TempFolder folder;
  Trained found;
  for (const Leg& leg : {Leg{ranks, zero_stage}, Leg{ranks == 4 ? 2 : 4, 3 - zero_stage}}) {
    const bool goes_on = leg.ranks != ranks;
    std::mutex mutex;
    run_ranks(job_of_cell(leg.zero_stage), leg.ranks, [&](int rank, Rank& one) {
      if (goes_on) one.resume(checkpoint::open_newest(folder.path())->reader);
      Trained piece;
      one.train(2, piece);
      one.save(folder.path());
      const std::lock_guard lock(mutex);
      if (goes_on) collect(one.state_pieces(), found.state);
      if (rank != 0) return;
      found.losses.insert(found.losses.end(), piece.losses.begin(), piece.losses.end());
      found.norms.insert(found.norms.end(), piece.norms.begin(), piece.norms.end());
    });
  }
  expect_same(found, alone());
}

TEST_P(Matrix, SlowHasTheBitsOfOneProcess) { expect_bits_of_one_process(); }

TEST_P(PairwiseMatrix, HasTheBitsOfOneProcess) { expect_bits_of_one_process(); }

// Any two settings meet in each of their combinations.
INSTANTIATE_TEST_SUITE_P(Cells, PairwiseMatrix,
                         ::testing::Values(Cell{1, 0, 1, 2, false}, Cell{2, 0, 2, 4, true},
                                           Cell{2, 1, 1, 2, true}, Cell{1, 1, 2, 4, false},
                                           Cell{1, 2, 2, 2, true}, Cell{2, 2, 1, 4, false},
                                           Cell{2, 3, 2, 2, false}, Cell{1, 3, 1, 4, true}));

INSTANTIATE_TEST_SUITE_P(Cells, Matrix,
                         ::testing::Combine(::testing::Values(1, 2), ::testing::Range<int64_t>(0, 4),
                                            ::testing::Values(1, 2), ::testing::Values(1, 2, 4),
                                            ::testing::Bool()));

TEST(SameBits, WithAnUnevenNumberOfRanksUpToRounding) {
  const config::TrainJob job = job_of(1, 3);  // ranks with one lane bring their shards for the other's second
  const Trained three = trained(job, 3, 3), one = trained(job, 1, 3);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(three.losses[i], one.losses[i], 1e-5 * one.losses[i]);
}

TEST(SameBits, OfBf16WeightsAcrossACheckpoint) {
  const test::TempFolder folder;
  config::TrainJob job = job_of(1, 1);
  job.precision.mixed_precision = config::MixedPrecision::Bf16;
  job.precision.trained_weights = config::TrainedWeights::Bf16;
  Trained found;
  for (const int ranks : {2, 1}) {
    run_ranks(job, ranks, [&](int rank, Rank& one) {
      if (ranks == 1) one.resume(checkpoint::open_newest(folder.path())->reader);
      Trained piece;
      one.train(2, piece);
      one.save(folder.path());
      if (rank != 0) return;
      found.losses.insert(found.losses.end(), piece.losses.begin(), piece.losses.end());
      if (ranks == 1) collect(one.state_pieces(), found.state);
    });
  }
  const Trained wanted = trained(job, 1, 4);
  for (size_t step = 0; step < 4; ++step) EXPECT_EQ(found.losses[step], wanted.losses[step]) << step;
  for (const auto& [name, tensor] : wanted.state)
    EXPECT_TRUE(at::equal(found.state.at(name), tensor)) << name;
}

// Three steps on four ranks (two copies of two shards; some units whole, some in four), saved; three more on
// two, saved; three ranks hand it on (their sums are another tree); three more steps alone. Frozen weights,
// which ranks share with stage 3, are handed on as well.
TEST(SameBits, AcrossCheckpointsReadByOtherNumbersOfRanks) {
  for (const int64_t stage : {1, 2}) {
    const test::TempFolder folder;
    Trained found;
    const Leg mixed{4, 3, 2, {"mid_block=0", "down_blocks.1=3/all", "up_blocks.0=1/all"}};
    for (const Leg& leg : {mixed, Leg{2, 2}, Leg{3, 3}, Leg{1, 1}}) {
      Tensors whole;
      std::mutex mutex;
      config::TrainJob job = job_of(stage, leg.zero_stage);
      job.parallel.shard_ranks = leg.shard_ranks;
      job.parallel.units = leg.units;
      run_ranks(job, leg.ranks, [&](int rank, Rank& one) {
        if (leg.ranks < 4) one.resume(checkpoint::open_newest(folder.path())->reader);
        Trained piece;
        if (leg.ranks != 3) one.train(3, piece);
        one.save(folder.path());
        const std::lock_guard lock(mutex);
        collect(one.state_pieces(), whole);
        if (rank != 0) return;
        found.losses.insert(found.losses.end(), piece.losses.begin(), piece.losses.end());
        found.norms.insert(found.norms.end(), piece.norms.begin(), piece.norms.end());
      });
      found.state = whole;
    }
    Trained wanted = trained(job_of(stage, 1), 1, 9);
    wanted.losses.pop_back();  // the validation's
    expect_same(found, wanted);
  }
}

TEST(Ranks, CountThoseOfTheirHost) {
  EXPECT_EQ(Ranks().on_this_host(), 1);
  const auto store = rendezvous::Server::start({}).value();
  const config::ParallelJob job = job_of(1, 1).parallel;
  std::thread other([&] { EXPECT_EQ(test::join_ranks(*store, 0, 2, job).on_this_host(), 2); });
  EXPECT_EQ(test::join_ranks(*store, 1, 2, job).on_this_host(), 2);
  other.join();
}

TEST(Ranks, AgreeWhereAllDo) {
  EXPECT_EQ(Ranks().all_agree(true, "a test"), true);
  EXPECT_EQ(Ranks().all_agree(false, "a test"), false);
  const auto store = rendezvous::Server::start({}).value();
  const config::ParallelJob job = job_of(1, 1).parallel;
  const auto expect_answers = [&](int rank, bool second_time) {
    Ranks ranks = test::join_ranks(*store, rank, 2, job);
    EXPECT_EQ(ranks.all_agree(true, "a test"), true);
    EXPECT_EQ(ranks.all_agree(second_time, "a test"), false);
  };
  std::thread other([&] { expect_answers(0, true); });
  expect_answers(1, false);
  other.join();
}

TEST(Ranks, WaitForAFirstOneThatWorksForLongerThanAWaitMayTake) {
  const auto store = rendezvous::Server::start({}).value();
  config::ParallelJob job = job_of(1, 1).parallel;
  job.timeout_s = 1;
  Status waited;
  std::thread second([&] { waited = test::join_ranks(*store, 1, 2, job).await_first(); });

  Ranks first = test::join_ranks(*store, 0, 2, job);
  Status kept;
  for (const clock::Stopwatch watch; kept && watch.seconds() < 1.3; std::this_thread::yield())
    kept = first.keep_waiting();
  const Status there = first.await_first();
  second.join();

  for (const Status& status : {kept, there, waited}) EXPECT_TRUE(status) << status.error().text();
}

TEST(Ranks, WaitForTheFirstOnesWorkAndEndWithWhatItThrows) {
  const auto store = rendezvous::Server::start({}).value();
  config::ParallelJob job = job_of(1, 1).parallel;
  job.timeout_s = 1;
  Status waited, ended;
  std::thread second([&] {
    Ranks ranks = test::join_ranks(*store, 1, 2, job);
    waited = ranks.on_first([] { return fail(ErrorCode::Internal, "not this rank's work"); });
    ended = ranks.on_first([] { return Status(); });
  });

  Ranks first = test::join_ranks(*store, 0, 2, job);
  const Status done = first.on_first([&]() -> Status {
    for (const clock::Stopwatch watch; watch.seconds() < 1.3; std::this_thread::yield())
      ZT_TRY(first.keep_waiting());
    return {};
  });
  EXPECT_THROW((void)first.on_first([]() -> Status { throw std::bad_alloc(); }), std::bad_alloc);
  second.join();

  EXPECT_TRUE(done) << done.error().text();
  EXPECT_TRUE(waited) << waited.error().text();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::PeerLost) << ended.error().text();
}

// The others were told of a fault in their schedules, and the first one's error was said nowhere.
TEST(Ranks, EndWithTheErrorOfTheFirstOnesWork) {
  const auto store = rendezvous::Server::start({}).value();
  const config::ParallelJob job = job_of(1, 1).parallel;
  Status ended;
  std::thread second([&] {
    Ranks ranks = test::join_ranks(*store, 1, 2, job);
    ended = ranks.on_first([] { return Status(); });
  });

  Ranks first = test::join_ranks(*store, 0, 2, job);
  const Status failed =
      first.on_first([]() -> Status { return fail(ErrorCode::Unavailable, "the disk is gone"); });
  const clock::Stopwatch since;
  second.join();

  EXPECT_LT(since.seconds(), 1);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "the disk is gone");
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, ErrorCode::PeerLost) << ended.error().text();
}

}  // namespace
}  // namespace zt::train
