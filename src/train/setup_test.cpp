// SPDX-License-Identifier: Apache-2.0
// Which step ranks go back to; the rest of setting up is tested by whole runs (tests/integration).
#include "train/setup.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "dist/group.hpp"
#include "exchange/snapshot_file.hpp"
#include "rendezvous/client.hpp"
#include "rendezvous/server.hpp"
#include "train/rank_groups.hpp"

namespace zt::train {
namespace {

using namespace std::chrono_literals;

Ranks join(const rendezvous::Server& store, int rank, int size) {
  const clock::Deadline deadline = clock::in(20s);
  const auto connect = [&] {
    rendezvous::ClientOptions options;
    options.host = "127.0.0.1";
    options.port = store.port();
    options.generation = 1;
    return rendezvous::Client::connect(options, deadline).value();
  };
  dist::GroupOptions group;
  group.store = connect();
  group.rank = group.world_rank = rank;
  group.size = size;
  config::ParallelJob job;
  job.timeout_s = 20;
  return Ranks(
      form_groups(dist::form_group(group, deadline).value(), group, job.shard_ranks, deadline).value(),
      connect(), job);
}

checkpoint::Snapshot snapshot_of(int64_t step) {
  checkpoint::Snapshot snapshot;
  snapshot.step = step;
  snapshot.tensors = {{"param/w", at::ones({3})}};
  return snapshot;
}

/// What each of the ranks decides that hold these steps in memory.
std::vector<std::optional<int64_t>> decided(const std::vector<std::vector<int64_t>>& steps_by_rank) {
  const auto store = rendezvous::Server::start({}).value();
  std::vector<std::optional<int64_t>> out(steps_by_rank.size());
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < steps_by_rank.size(); ++rank) {
    threads.emplace_back([&, rank] {
      const auto file = exchange::SnapshotFile::make().value();
      auto memory = checkpoint::MemoryTier::open(file.get()).value();
      for (const int64_t step : steps_by_rank[rank]) EXPECT_TRUE(memory.keep(snapshot_of(step), 1));
      Ranks ranks = join(*store, static_cast<int>(rank), static_cast<int>(steps_by_rank.size()));
      out[rank] = agree_on_origin(ranks, memory, /*is_restart=*/true).value().memory_step;
    });
  }
  for (std::thread& thread : threads) thread.join();
  return out;
}

using Steps = std::vector<std::optional<int64_t>>;

TEST(AgreeOnOrigin, IsTheNewestStepThatAllRanksHold) {
  EXPECT_EQ(decided({{4, 5}, {5, 6}, {4, 5}}), Steps({5, 5, 5}));
  EXPECT_EQ(decided({{4, 5}, {4, 5}}), Steps({5, 5}));
}

TEST(AgreeOnOrigin, IsTheDiskWithoutACommonStep) {
  EXPECT_EQ(decided({{4, 5}, {}}), Steps({std::nullopt, std::nullopt}));
  EXPECT_EQ(decided({{4, 5}, {6}}), Steps({std::nullopt, std::nullopt}));
}

/// Whether each of the ranks goes on, with the newest checkpoint that it sees.
std::vector<bool> go_on(const Steps& newest_by_rank) {
  const auto store = rendezvous::Server::start({}).value();
  std::vector<std::optional<Status>> ends(newest_by_rank.size());
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < newest_by_rank.size(); ++rank) {
    threads.emplace_back([&, rank] {
      Ranks ranks = join(*store, static_cast<int>(rank), static_cast<int>(newest_by_rank.size()));
      ends[rank] = agree_on_checkpoint(ranks, newest_by_rank[rank]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<bool> out;
  for (const std::optional<Status>& end : ends) {
    out.push_back(end->has_value());
    if (!*end) {
      EXPECT_EQ(end->error().code, ErrorCode::Unavailable);
    }
  }
  return out;
}

TEST(AgreeOnCheckpoint, RanksThatSeeOthersDoNotTrainOn) {
  EXPECT_EQ(go_on({4, 4}), std::vector<bool>({true, true}));
  EXPECT_EQ(go_on({std::nullopt, std::nullopt}), std::vector<bool>({true, true}));
  EXPECT_EQ(go_on({4, 4, 2}), std::vector<bool>({false, false, false}));
  EXPECT_EQ(go_on({4, std::nullopt}), std::vector<bool>({false, false}));
}

TEST(AgreeOnOrigin, OfOneRankIsItsNewestStep) {
  const auto file = exchange::SnapshotFile::make().value();
  auto memory = checkpoint::MemoryTier::open(file.get()).value();
  Ranks alone;

  EXPECT_EQ(agree_on_origin(alone, memory, true).value().memory_step, std::nullopt);
  for (const int64_t step : {8, 9}) ASSERT_TRUE(memory.keep(snapshot_of(step), 1));
  EXPECT_EQ(agree_on_origin(alone, memory, true).value().memory_step, 9);
}

}  // namespace
}  // namespace zt::train
