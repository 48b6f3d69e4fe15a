// SPDX-License-Identifier: Apache-2.0
// A bit flipped on one of several ranks is found and blamed on that rank: here each rank is a thread with
// weights of its own.
#include "train/ranks/replica_check.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "config/meaning/unit_sharing.hpp"
#include "rendezvous/server.hpp"
#include "support/join_ranks.hpp"
#include "support/param_store.hpp"

namespace zt::train {
namespace {

using Rows = std::vector<std::vector<uint64_t>>;
using Who = std::vector<int64_t>;

TEST(FindCorruption, BlamesTheMinority) {
  const std::vector<Replicated> parts{{"a"}, {"b"}};
  EXPECT_FALSE(find_corruption(parts, Rows{{1, 2}, {1, 2}, {1, 2}}));

  const auto found = find_corruption(parts, Rows{{1, 2}, {1, 2}, {1, 3}});

  ASSERT_TRUE(found);
  EXPECT_EQ(found->what, "b");
  EXPECT_EQ(found->ranks, Who{2});
  EXPECT_FALSE(found->is_undecided);
}

TEST(FindCorruption, BelievesTheOwnerWhereTwoDiffer) {
  const std::vector<Replicated> parts{{"of 0", 2, 0}, {"of 1", 2, 1}};
  EXPECT_EQ(find_corruption(parts, Rows{{1, 2}, {1, 3}})->ranks, Who{0});
  EXPECT_EQ(find_corruption(parts, Rows{{1, 2}, {4, 2}})->ranks, Who{1});
  const std::vector<Replicated> of_three{{"of 0", 3, 0}};
  EXPECT_EQ(find_corruption(of_three, Rows{{9}, {1}, {1}})->ranks, Who{0});  // two know better
}

TEST(FindCorruption, SaysWhenItCantDecide) {
  const std::vector<Replicated> parts{{"a"}};
  EXPECT_EQ(find_corruption(parts, Rows{{1}, {2}})->ranks, (Who{0, 1}));
  EXPECT_TRUE(find_corruption(parts, Rows{{1}, {2}})->is_undecided);
  EXPECT_TRUE(find_corruption(parts, Rows{{1}, {1}, {2}, {2}})->is_undecided);
}

TEST(FindCorruption, ComparesPartsAmongRanksOfOnePlace) {
  const std::vector<Replicated> parts{{"a part", 2, -1, /*is_by_place=*/true}};
  EXPECT_FALSE(find_corruption(parts, Rows{{1}, {2}}));  // nobody has a copy
  EXPECT_FALSE(find_corruption(parts, Rows{{1}, {2}, {1}, {2}}));
  EXPECT_EQ(find_corruption(parts, Rows{{1}, {2}, {1}, {3}})->ranks, (Who{1, 3}));
  EXPECT_EQ(find_corruption(parts, Rows{{1}, {2}, {1}, {3}, {1}, {2}})->ranks, Who{3});
}

TEST(FindCorruption, BelievesOwnersOnlyIfTheyAgree) {
  const std::vector<Replicated> parts{{"of 0", 2, 0}};
  EXPECT_EQ(find_corruption(parts, Rows{{1}, {2}, {1}, {3}})->ranks, (Who{1, 3}));
  EXPECT_TRUE(find_corruption(parts, Rows{{1}, {1}, {2}, {2}})->is_undecided);
}

/// When the bit flips.
enum class Moment { AfterTheUpdate, BeforeTheUpdate, InTheSum, InWhatIsFrozen, Never };
struct Trial {
  int ranks = 2;
  int64_t zero_stage = 1;
  int64_t every = 1;
  int64_t step = 3;  ///< at which rank 1's bit flips, of 10
  Moment moment = Moment::Never;
  int64_t shard_ranks = 0;              ///< HSDP: ranks of one copy
  std::vector<std::string> units = {};  ///< of stages of their own
};

/// A rank's run: the step at which it ended and why; 10 and nothing if it came through.
struct End {
  int64_t step = 0;
  Status status;
};

void flip_a_bit(const at::Tensor& flat_P) {
  auto* bits = static_cast<uint8_t*>(flat_P.data_ptr());
  bits[4 * 100 + 2] ^= 0x10;
}

config::ParallelJob job_of(const Trial& trial) {
  config::ParallelJob job;
  job.zero_stage = trial.zero_stage;
  job.timeout_s = 20;
  job.shard_ranks = trial.shard_ranks;
  job.units = trial.units;
  return job;
}

End run(const Trial& trial, int rank, Ranks ranks) {
  const config::ParallelJob job = job_of(trial);
  const auto store = test::make_store(
      {{"a", {300}, "one", "one"}, {"b", {20, 30}, "two", "two"}, {"c", {700}, "three", "three"}},
      [](const params::ParamInfo& info) { return params::Placement{.trainable = info.unit != "three"}; }, {},
      [&](const std::string& unit) {
        const config::UnitSharing sharing = config::sharing_of(job, unit, trial.ranks);
        return params::Residency{.whole_values = sharing.stage < 3,
                                 .shard = params::shard_of(rank, sharing.ranks)};
      });
  ReplicaCheck check(*store, ranks, trial.every, /*step=*/0);
  const auto step = [&](int64_t number) -> Status {
    const bool flips = rank == 1 && number == trial.step;
    test::fill_gradients(*store, {"one", "two"}, static_cast<double>(number));
    params::Segment& two = store->segments()[1];
    if (flips && trial.moment == Moment::BeforeTheUpdate) flip_a_bit(two.kept_values());
    ZT_TRY(check.before_update());
    ZT_TRY(ranks.sum_gradients(*store));
    if (flips && trial.moment == Moment::InTheSum) flip_a_bit(two.gradients_S);
    check.gradients_are_summed();
    for (params::Segment& segment : store->segments())
      if (segment.placement.trainable) segment.values_S.sub_(segment.gradients_S, 0.01);
    if (flips && trial.moment == Moment::InWhatIsFrozen) flip_a_bit(store->segments()[2].kept_values());
    ZT_TRY(ranks.gather_values(*store));
    if (flips && trial.moment == Moment::AfterTheUpdate) flip_a_bit(two.kept_values());
    return check.after_update();
  };
  for (int64_t number = 1; number <= 10; ++number)
    if (const Status status = step(number); !status) return {number, status};
  return {10, {}};
}

std::vector<End> run(const Trial& trial) {
  const auto store = rendezvous::Server::start({}).value();
  std::vector<End> ends(static_cast<size_t>(trial.ranks));
  std::vector<std::thread> threads;
  const config::ParallelJob job = job_of(trial);
  for (int rank = 0; rank < trial.ranks; ++rank) {
    threads.emplace_back([&, rank] {
      at::set_num_threads(1);
      const at::NoGradGuard no_grad;
      ends[static_cast<size_t>(rank)] = run(trial, rank, test::join_ranks(*store, rank, trial.ranks, job));
    });
  }
  for (std::thread& thread : threads) thread.join();
  return ends;
}

/// What a check calls it that differs.
const char* what_differs(const Trial& trial) {
  if (trial.moment == Moment::InTheSum) return "the summed gradients";
  return trial.moment == Moment::InWhatIsFrozen ? "the weights of three" : "the weights of two";
}

class FlippedBit : public testing::TestWithParam<Trial> {};

TEST_P(FlippedBit, IsFoundWithinEverySoManyStepsAndBlamedOnItsRank) {
  const Trial trial = GetParam();
  const std::vector<End> ends = run(trial);
  for (int rank = 0; rank < trial.ranks; ++rank) {
    const End& end = ends[static_cast<size_t>(rank)];
    ASSERT_FALSE(end.status) << "rank " << rank;
    const std::string text = end.status.error().text();
    if (rank != 1) {
      EXPECT_EQ(end.status.error().code, ErrorCode::PeerLost) << text;
      continue;
    }
    EXPECT_EQ(end.status.error().code, ErrorCode::Corrupt) << text;
    EXPECT_LE(end.step, trial.step + trial.every);
    std::printf("a bit flipped at step %d is found at step %d: %s\n", static_cast<int>(trial.step),
                static_cast<int>(end.step), text.c_str());
    EXPECT_NE(text.find("rank 1"), std::string::npos) << text;
    EXPECT_NE(text.find(what_differs(trial)), std::string::npos) << text;
  }
}

// With stage 0 and two ranks a copy has no owner, and with stage 3 each rank has a part that no other has:
// only what changes between two updates, in a checked step, is blamed on one.
INSTANTIATE_TEST_SUITE_P(
    At, FlippedBit,
    testing::Values(Trial{2, 1, 1, 3, Moment::AfterTheUpdate}, Trial{2, 1, 1, 3, Moment::BeforeTheUpdate},
                    Trial{2, 0, 1, 3, Moment::BeforeTheUpdate}, Trial{3, 0, 1, 3, Moment::AfterTheUpdate},
                    Trial{3, 0, 4, 3, Moment::AfterTheUpdate}, Trial{3, 0, 4, 6, Moment::BeforeTheUpdate},
                    Trial{2, 3, 1, 3, Moment::BeforeTheUpdate}, Trial{4, 1, 1, 3, Moment::AfterTheUpdate, 2},
                    Trial{4, 3, 1, 3, Moment::BeforeTheUpdate, 2},
                    Trial{4, 3, 1, 3, Moment::AfterTheUpdate, 2, {"two=0"}},
                    Trial{4, 0, 1, 3, Moment::AfterTheUpdate, 2, {"two=1/all"}},
                    Trial{2, 3, 4, 6, Moment::InWhatIsFrozen}, Trial{3, 1, 4, 6, Moment::InWhatIsFrozen},
                    Trial{3, 0, 1, 3, Moment::InTheSum}, Trial{6, 1, 1, 3, Moment::InTheSum, 2},
                    Trial{6, 3, 1, 3, Moment::InTheSum, 2}));

TEST(ReplicaCheck, OfTwoThatMadeTheirOwnCopiesBothAreNamed) {
  const std::vector<End> ends = run({2, 0, 1, 3, Moment::AfterTheUpdate});
  for (const End& end : ends) {
    ASSERT_FALSE(end.status);
    EXPECT_EQ(end.step, 3);
    EXPECT_NE(end.status.error().text().find("which of the ranks 0, 1"), std::string::npos)
        << end.status.error().text();
  }
}

TEST(ReplicaCheck, OfTwoReplicasOfAPartBothAreNamed) {
  const std::vector<End> ends = run({4, 3, 1, 3, Moment::AfterTheUpdate, 2});
  for (const size_t rank : {1, 3})
    EXPECT_NE(ends[rank].status.error().text().find("which of the ranks 1, 3"), std::string::npos)
        << ends[rank].status.error().text();
}

// A part that two copies have summed, one of them wrong.
TEST(ReplicaCheck, OfTwoSumsOfGradientsBothAreNamed) {
  for (const int64_t stage : {1, 3}) {
    const std::vector<End> ends = run({4, stage, 1, 3, Moment::InTheSum, 2});
    for (const size_t rank : {1, 3}) {
      ASSERT_FALSE(ends[rank].status);
      EXPECT_EQ(ends[rank].step, 3);
      EXPECT_NE(ends[rank].status.error().text().find(
                    "it can't be told which of the ranks 1, 3 has the wrong bits in the summed gradients"),
                std::string::npos)
          << ends[rank].status.error().text();
    }
  }
}

TEST(ReplicaCheck, LetsGoodBitsPassAndCanBeTurnedOff) {
  for (const int64_t stage : {0, 1, 3})
    for (const End& end : run({3, stage, 2, 0, Moment::Never})) EXPECT_TRUE(end.status);
  for (const End& end : run({4, 1, 2, 0, Moment::Never, 2})) EXPECT_TRUE(end.status);
  for (const End& end : run({4, 1, 2, 0, Moment::Never, 2, {"one=0", "two=3/all"}})) EXPECT_TRUE(end.status);
  for (const End& end : run({2, 1, 0, 3, Moment::AfterTheUpdate})) EXPECT_TRUE(end.status);
}

}  // namespace
}  // namespace zt::train
