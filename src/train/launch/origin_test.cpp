// SPDX-License-Identifier: Apache-2.0
// Which step ranks go back to, and who gets it from whom; the rest of setting up is tested by whole runs
// (tests/integration).
#include "train/launch/origin.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "checkpoint/saver.hpp"
#include "contract/manifest.hpp"
#include "dist/group.hpp"
#include "exchange/snapshot_file.hpp"
#include "rendezvous/client.hpp"
#include "rendezvous/server.hpp"
#include "support/temp_folder.hpp"
#include "train/ranks/rank_groups.hpp"

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

Agreed agree(const std::vector<Has>& by_rank, int64_t zero_stage = 1,
             const std::filesystem::path& checkpoints = {}) {
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
      const Origin origin = agree_on_origin(ranks, memory, checkpoints, /*is_restart=*/true).value();
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

/// Saves a step whose files are one of what trains and one of what is frozen.
void save(const std::filesystem::path& folder, int64_t step) {
  checkpoint::Saver saver({.folder = folder,
                           .run_id = "r",
                           .config_digest = "d",
                           .generation = 1,
                           .retention = {.keep_last = 9}});
  checkpoint::Snapshot snapshot = snapshot_of(step, 0);
  snapshot.frozen = {{"param/f", at::full({3}, double(step))}};
  saver.save(snapshot);
  ASSERT_TRUE(saver.wait());
}

void damage(const std::filesystem::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekp(-1, std::ios::end);
  stream.put('\x7f');
}

/// What each of the ranks goes on from, that sees the folder of its place: "step 4", "none" or the error's
/// name.
std::vector<std::string> open_each(const std::vector<std::filesystem::path>& folders) {
  const auto store = rendezvous::Server::start({}).value();
  std::vector<std::string> ends(folders.size());
  config::ParallelJob job;
  job.timeout_s = 20;
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < folders.size(); ++rank) {
    threads.emplace_back([&, rank] {
      Ranks ranks = join(*store, static_cast<int>(rank), static_cast<int>(folders.size()), job);
      const auto found = open_together(ranks, folders[rank]);
      ends[rank] = !found    ? std::string(name(found.error().code))
                   : !*found ? "none"
                             : "step " + std::to_string((*found)->reader.manifest().step);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return ends;
}

using Ends = std::vector<std::string>;

TEST(OpenTogether, RanksThatSeeOtherFoldersDoNotTrainOn) {
  const test::TempFolder folder;
  save(folder / "old", 2);
  save(folder / "new", 2);
  save(folder / "new", 4);
  const auto old_view = folder / "old", new_view = folder / "new", no_view = folder / "none";
  EXPECT_EQ(open_each({new_view, new_view}), (Ends{"step 4", "step 4"}));
  EXPECT_EQ(open_each({no_view, no_view}), (Ends{"none", "none"}));
  EXPECT_EQ(open_each({new_view, new_view, old_view}), (Ends{"Unavailable", "Unavailable", "Unavailable"}));
  EXPECT_EQ(open_each({new_view, no_view}), (Ends{"Unavailable", "Unavailable"}));
}

TEST(OpenTogether, WhatOneRankFindsDamagedAllPassOver) {
  for (const size_t damaged : {0, 1}) {  // one for each rank to verify
    const test::TempFolder folder;
    save(folder.path(), 2);
    save(folder.path(), 4);
    const auto newest = folder / "step-00000004";
    damage(newest / contract::read_manifest(newest)->files.at(damaged).name);
    EXPECT_EQ(open_each({folder.path(), folder.path()}), (Ends{"step 2", "step 2"})) << damaged;
  }
}

TEST(AgreeOnOrigin, OfOneRankIsItsNewestStep) {
  const Files files;
  checkpoint::Memory memory = files.open();
  Ranks alone;

  EXPECT_EQ(agree_on_origin(alone, memory, "", true).value().memory_step, std::nullopt);
  for (const int64_t step : {8, 9}) ASSERT_TRUE(memory.own.keep(snapshot_of(step, 0), 1));
  EXPECT_EQ(agree_on_origin(alone, memory, "", true).value().memory_step, 9);
}

TEST(AgreeOnOrigin, ALaterCheckpointIsPreferred) {
  const test::TempFolder folder;
  const Files files;
  checkpoint::Memory memory = files.open();
  Ranks alone;
  for (const int64_t step : {8, 9}) ASSERT_TRUE(memory.own.keep(snapshot_of(step, 0), 1));

  save(folder.path(), 9);
  EXPECT_EQ(agree_on_origin(alone, memory, folder.path(), true).value().memory_step, 9);
  save(folder.path(), 10);
  EXPECT_EQ(agree_on_origin(alone, memory, folder.path(), true).value().memory_step, std::nullopt);
  EXPECT_EQ(agree({{{8, 9}}, {{9}}}, 1, folder.path()).steps, Steps({std::nullopt, std::nullopt}));
  EXPECT_EQ(agree({{{10, 11}}, {{10, 11}}}, 1, folder.path()).steps, Steps({11, 11}));
  // One of an earlier launch may be what this one found damaged.
  const Files later;
  checkpoint::Memory of_later = later.open();
  ASSERT_TRUE(of_later.own.keep(snapshot_of(9, 0), /*generation=*/2));
  EXPECT_EQ(agree_on_origin(alone, of_later, folder.path(), true).value().memory_step, 9);
}

// The step in memory would be lost for one that nobody can read.
TEST(AgreeOnOrigin, ALaterCheckpointThatIsDamagedIsNot) {
  const test::TempFolder folder;
  const Files files;
  checkpoint::Memory memory = files.open();
  ASSERT_TRUE(memory.own.keep(snapshot_of(9, 0), 1));
  Ranks alone;
  save(folder.path(), 10);
  const auto newest = folder.path() / contract::checkpoint_name(10);
  damage(newest / contract::read_manifest(newest)->files.front().name);

  EXPECT_EQ(agree_on_origin(alone, memory, folder.path(), true).value().memory_step, 9);
}

}  // namespace
}  // namespace zt::train
