// SPDX-License-Identifier: Apache-2.0
// Ranks that would not make the same exchanges find out before the first, whatever they share: here each is a
// thread with weights of its own.
#include "train/ranks/schedule_check.hpp"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "rendezvous/server.hpp"
#include "support/join_ranks.hpp"
#include "support/param_store.hpp"

namespace zt::train {
namespace {

/// What a rank brings to a run.
struct Brought {
  std::vector<test::TestParam> params = {{"a", {300}, "one", "one"}, {"b", {20, 30}, "two", "two"}};
  int64_t zero_stage = 1;
  StepShape step = {4, 2};
};

/// What the first pass and the first sum of gradients of each of two ranks come to.
std::array<Status, 2> train_together(const std::array<Brought, 2>& brought, const std::string& backend) {
  const auto server = rendezvous::Server::start({}).value();
  std::array<Status, 2> ends;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      at::set_num_threads(1);
      const Brought& own = brought[static_cast<size_t>(rank)];
      config::ParallelJob job;
      job.timeout_s = 20;
      Ranks ranks = test::join_ranks(*server, rank, 2, job, {.backend = backend});
      const auto store = test::make_store(own.params, {}, {}, [&](const std::string&) {
        return params::Residency{.shard = params::shard_of(rank, own.zero_stage == 0 ? 1 : 2)};
      });
      ranks.share_units(*store, own.step);
      Status& end = ends[static_cast<size_t>(rank)];
      end = ranks.walk([] {}, /*adds=*/false);
      if (end) end = ranks.sum_gradients(*store);
      ranks = Ranks();  // before the store
    });
  }
  for (std::thread& thread : threads) thread.join();
  return ends;
}

void expect_differ(const std::array<Brought, 2>& brought, const std::string& what) {
  for (const char* backend : {"shared-memory", "gloo"}) {
    for (const Status& end : train_together(brought, backend)) {
      ASSERT_FALSE(end) << what;
      EXPECT_EQ(end.error().code, ErrorCode::Internal);
      EXPECT_NE(end.error().text().find("rank 1 and rank 0 differ in " + what), std::string::npos)
          << end.error().text();
      EXPECT_NE(end.error().text().find("the same run folder"), std::string::npos) << end.error().text();
    }
  }
}

TEST(ScheduleCheck, LetsRanksPassThatBringTheSame) {
  for (const int64_t stage : {0, 1}) {
    const Brought both{.zero_stage = stage};
    for (const Status& end : train_together({both, both}, "auto")) EXPECT_TRUE(end) << end.error().text();
  }
}

// Of the same sizes in another order: NCCL would sum weights with others.
TEST(ScheduleCheck, NamesARankWithUnitsOfAnotherOrder) {
  const std::vector<test::TestParam> one = {{"a", {512}, "one", "one"}, {"b", {512}, "two", "two"}},
                                     other = {one[1], one[0]};
  for (const int64_t stage : {0, 1})
    expect_differ(
        {Brought{.params = one, .zero_stage = stage}, Brought{.params = other, .zero_stage = stage}},
        "the names, order or sizes");
}

TEST(ScheduleCheck, NamesARankThatSharesOthers) {
  // All sizes are multiples of 512, so that stage 1 pads none.
  const std::vector<test::TestParam> params = {{"a", {512}, "one", "one"}};
  expect_differ({Brought{.params = params, .zero_stage = 0}, Brought{.params = params, .zero_stage = 1}},
                "what ranks share");
}

TEST(ScheduleCheck, NamesARankWithOtherPasses) {
  expect_differ({Brought{}, Brought{.step = {4, 1}}}, "the lanes or micro batches");
  expect_differ({Brought{.step = {4, 1, 7}}, Brought{.step = {4, 1, 8}}}, "the clips of the data set");
}

}  // namespace
}  // namespace zt::train
