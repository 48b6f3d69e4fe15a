// SPDX-License-Identifier: Apache-2.0
// Which step ranks go back to, and who gets it from whom; the rest of setting up is tested by whole runs
// (tests/integration).
#include "train/origin.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
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

/// Of `size` ranks whose neighbours hold for each other.
Ranks join(const rendezvous::Server& store, int rank, int size, const config::ParallelJob& job) {
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
  RankGroups groups =
      form_groups(dist::form_group(group, deadline).value(), group, job.shard_ranks, deadline).value();
  const PeerRule peers = peer_rule(groups.world->identity().members, job);
  EXPECT_TRUE(link_peers(groups, peers, group, deadline));
  return Ranks(std::move(groups), connect(), job);
}

/// The weight says whose it is, and of which step.
checkpoint::Snapshot snapshot_of(int64_t step, int64_t owner) {
  checkpoint::Snapshot snapshot;
  snapshot.step = step;
  snapshot.tensors = {{"param/w", at::full({3}, double(1000 * owner + step))}};
  return snapshot;
}

/// Files that live as long as the test's ranks.
struct Files {
  files::Descriptor own = exchange::SnapshotFile::make().value(),
                    held = exchange::SnapshotFile::make().value();
  checkpoint::Memory open() const {
    return {checkpoint::MemoryTier::open(own.get()).value(),
            checkpoint::MemoryTier::open(held.get()).value()};
  }
};

/// What a rank has before the ranks agree.
struct Has {
  std::vector<int64_t> own, held = {};
};

using Steps = std::vector<std::optional<int64_t>>;
struct Agreed {
  Steps steps;
  std::string holders;
  std::vector<double> weights;  ///< of that step in each rank's own file; -1: not there
};

Agreed agree(const std::vector<Has>& by_rank, int64_t zero_stage = 1) {
  const auto store = rendezvous::Server::start({}).value();
  const auto size = by_rank.size();
  Agreed out{Steps(size), {}, std::vector<double>(size, -1)};
  config::ParallelJob job;
  job.timeout_s = 20;
  job.zero_stage = zero_stage;
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      const Files files;
      checkpoint::Memory memory = files.open();
      const auto me = static_cast<int64_t>(rank);
      const auto count = static_cast<int64_t>(size);
      const int64_t owner = zero_stage == 0 ? 0 : me, ward = (me + count - 1) % count;
      for (const int64_t step : by_rank[rank].own) EXPECT_TRUE(memory.own.keep(snapshot_of(step, owner), 1));
      for (const int64_t step : by_rank[rank].held) EXPECT_TRUE(memory.held.keep(snapshot_of(step, ward), 1));
      Ranks ranks = join(*store, static_cast<int>(rank), static_cast<int>(size), job);
      const Origin origin = agree_on_origin(ranks, memory, /*is_restart=*/true).value();
      out.steps[rank] = origin.memory_step;
      if (rank == 0) out.holders = text_of_holders(origin.holders);
      if (!origin.memory_step) return;
      const std::vector<params::StateTensor> tensors = {{"param/w", at::zeros({3})}};
      if (memory.own.restore(*origin.memory_step, tensors))
        out.weights[rank] = tensors[0].value[0].item<double>();
    });
  }
  for (std::thread& thread : threads) thread.join();
  return out;
}

TEST(AgreeOnOrigin, IsTheNewestStepThatAllRanksHold) {
  EXPECT_EQ(agree({{{4, 5}}, {{5, 6}}, {{4, 5}}}).steps, Steps({5, 5, 5}));
  EXPECT_EQ(agree({{{4, 5}}, {{4, 5}}}).steps, Steps({5, 5}));
  EXPECT_EQ(agree({{{4, 5}}, {{4, 5}}}).holders, "ranks 0-1 memory");
}

TEST(AgreeOnOrigin, IsTheDiskWithoutACommonStep) {
  EXPECT_EQ(agree({{{4, 5}}, {{}}}).steps, Steps({std::nullopt, std::nullopt}));
  EXPECT_EQ(agree({{{4, 5}}, {{6}}}).steps, Steps({std::nullopt, std::nullopt}));
}

TEST(AgreeOnOrigin, RankThatLostItsOwnGetsItFromItsHolder) {
  const Agreed agreed = agree({{{4, 5}, {4, 5}}, {{}, {}}});

  EXPECT_EQ(agreed.steps, Steps({5, 5}));
  EXPECT_EQ(agreed.holders, "rank 0 memory, rank 1 peer (held by rank 0)");
  EXPECT_EQ(agreed.weights, (std::vector<double>{5, 1005}));
}

// The holder was amid the copy of step 5.
TEST(AgreeOnOrigin, IsAnOlderStepWhereTheHolderHasNoNewerOne) {
  const Agreed agreed = agree({{{4, 5}, {4}}, {{}, {}}, {{4, 5}, {}}});
  EXPECT_EQ(agreed.steps, Steps({std::nullopt, std::nullopt, std::nullopt}));  // rank 2 holds for rank 1

  EXPECT_EQ(agree({{{4, 5}, {}}, {{}, {}}, {{4, 5}, {4}}}).steps, Steps({4, 4, 4}));
}

TEST(AgreeOnOrigin, EveryOtherRankMayBeServedAtOnce) {
  const Agreed agreed = agree({{{}, {}}, {{7}, {7}}, {{}, {}}, {{7}, {7}}});

  EXPECT_EQ(agreed.holders,
            "rank 0 peer (held by rank 1), rank 1 memory, rank 2 peer (held by rank 3), rank 3 memory");
  EXPECT_EQ(agreed.weights, (std::vector<double>{7, 1007, 2007, 3007}));
}

TEST(AgreeOnOrigin, RankOfTheSameStateServesItsOwn) {
  const Agreed agreed = agree({{{4, 5}}, {{}}}, /*zero_stage=*/0);

  EXPECT_EQ(agreed.holders, "rank 0 memory, rank 1 peer (held by rank 0)");
  EXPECT_EQ(agreed.weights, (std::vector<double>{5, 5}));
}

/// Whether each of the ranks goes on, with the newest checkpoint that it sees.
std::vector<bool> go_on(const Steps& newest_by_rank) {
  const auto store = rendezvous::Server::start({}).value();
  std::vector<std::optional<Status>> ends(newest_by_rank.size());
  config::ParallelJob job;
  job.timeout_s = 20;
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < newest_by_rank.size(); ++rank) {
    threads.emplace_back([&, rank] {
      Ranks ranks = join(*store, static_cast<int>(rank), static_cast<int>(newest_by_rank.size()), job);
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
  const Files files;
  checkpoint::Memory memory = files.open();
  Ranks alone;

  EXPECT_EQ(agree_on_origin(alone, memory, true).value().memory_step, std::nullopt);
  for (const int64_t step : {8, 9}) ASSERT_TRUE(memory.own.keep(snapshot_of(step, 0), 1));
  EXPECT_EQ(agree_on_origin(alone, memory, true).value().memory_step, 9);
}

}  // namespace
}  // namespace zt::train
