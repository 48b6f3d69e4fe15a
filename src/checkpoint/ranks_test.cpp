// SPDX-License-Identifier: Apache-2.0
// Several ranks save one checkpoint together, on threads of this process.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/files/files.hpp"
#include "checkpoint/reader.hpp"
#include "checkpoint/saver.hpp"
#include "support/board_meeting.hpp"
#include "support/temp_folder.hpp"

namespace zt::checkpoint {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const at::Tensor kWhole = at::arange(70, at::kFloat).view({7, 10});

/// The elements of `kWhole` that a rank of `size` has: thirds that are no rows.
params::StateTensor piece_of(int rank, int size) {
  const int64_t begin = 70 * rank / size, end = 70 * (rank + 1) / size;
  return {"param/w", kWhole.view(-1).slice(0, begin, end).clone(), params::Piece{{7, 10}, begin}};
}

Snapshot snapshot_of(int64_t step, int rank, int size) {
  Snapshot s;
  s.step = step;
  s.tensors = {piece_of(rank, size)};
  if (rank == size - 1) s.tensors.push_back({"param/small", at::full({2}, 5.0)});
  if (rank == 0) s.scalars = {{"train.step", step}};
  if (rank == 0) s.frozen = {{"param/frozen", at::ones({3})}};
  return s;
}

/// Of ranks that meet on a board. `change`: what else one is to be told.
std::vector<std::unique_ptr<Saver>> savers_on(test::Board& board, const fs::path& folder, int size,
                                              const std::function<void(int, SaverOptions&)>& change = {}) {
  std::vector<std::unique_ptr<Saver>> savers;
  for (int rank = 0; rank < size; ++rank) {
    SaverOptions options{
        .folder = folder, .run_id = "r", .config_digest = "d", .generation = 1, .retention = {}};
    options.meeting = std::make_shared<test::BoardMeeting>(board, rank, size);
    if (change) change(rank, options);
    savers.push_back(std::make_unique<Saver>(options));
  }
  return savers;
}

/// Saves on `size` ranks at once; `change` may spoil a rank's snapshot.
std::vector<SaveResult> save(const fs::path& folder, int64_t step, int size,
                             const std::function<void(int, Snapshot&)>& change = {},
                             std::chrono::milliseconds deadline = std::chrono::seconds(20)) {
  test::Board board;
  const auto savers =
      savers_on(board, folder, size, [&](int, SaverOptions& options) { options.deadline = deadline; });
  for (int rank = 0; rank < size; ++rank) {
    Snapshot snapshot = snapshot_of(step, rank, size);
    if (change) change(rank, snapshot);
    savers[static_cast<size_t>(rank)]->save(snapshot);
  }
  std::vector<SaveResult> results;
  for (const auto& saver : savers) {
    EXPECT_TRUE(saver->wait());
    results.push_back(saver->take_results().at(0));
  }
  return results;
}

class SavedBy : public ::testing::TestWithParam<int> {};

TEST_P(SavedBy, RanksIsReadWholeAndByAnyOtherNumberOfRanks) {
  const test::TempFolder folder;
  for (const SaveResult& result : save(folder.path(), 4, GetParam()))
    ASSERT_TRUE(result.status) << result.status.error().text();

  const auto found = open_newest(folder.path());

  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->reader.manifest().world_size, GetParam());
  EXPECT_TRUE(at::equal(*found->reader.tensor("param/w"), kWhole));
  EXPECT_TRUE(at::equal(*found->reader.tensor("param/small"), at::full({2}, 5.0)));
  EXPECT_TRUE(at::equal(*found->reader.tensor("param/frozen"), at::ones({3})));
  for (int readers = 1; readers <= 5; ++readers) {
    for (int rank = 0; rank < readers; ++rank) {
      params::StateTensor target = piece_of(rank, readers);
      const at::Tensor wanted = target.value.clone();
      target.value.zero_();
      ASSERT_TRUE(found->reader.copy_into(target));
      EXPECT_TRUE(at::equal(target.value, wanted)) << rank << " of " << readers;
    }
  }
  EXPECT_FALSE(fs::exists(found->reader.folder() / "rank-00001.json"));
}

INSTANTIATE_TEST_SUITE_P(OneToFour, SavedBy, ::testing::Values(1, 2, 3, 4));

TEST(SavedByRanks, LeaveNoMoreBehindOnTheBoardTheMoreTheySave) {
  const test::TempFolder folder;
  test::Board board;
  const auto savers = savers_on(board, folder.path(), 2);
  const auto keys_after = [&](int64_t step) {
    for (int rank = 0; rank < 2; ++rank) savers[static_cast<size_t>(rank)]->save(snapshot_of(step, rank, 2));
    for (const auto& saver : savers) EXPECT_TRUE(saver->wait());
    return board.texts.size();
  };
  const size_t after_one = keys_after(1);

  EXPECT_EQ(keys_after(2), after_one);
  EXPECT_EQ(keys_after(3), after_one);
}

// Rank 1 once waited for the save that rank 0 had left out until the deadline, and they never met again.
TEST(SavedByRanks, ASaveThatOneRankLeavesOutIsCalledOffOnTheOthers) {
  for (const size_t late : {0U, 1U}) {
    SCOPED_TRACE(late);
    const test::TempFolder folder;
    test::Board board;
    const auto savers = savers_on(board, folder.path(), 2, [&](int rank, SaverOptions& options) {
      options.patience = std::chrono::milliseconds(rank == static_cast<int>(late) ? 1 : 20'000);
    });
    const auto save_on = [&](size_t rank, int64_t step) {
      savers[rank]->save(snapshot_of(step, static_cast<int>(rank), 2));
    };
    save_on(late, 1);  // waits for the other rank, so
    save_on(late, 2);  // this one is left out
    save_on(1 - late, 1);
    save_on(1 - late, 2);
    for (const auto& saver : savers) ASSERT_TRUE(saver->wait());
    for (const size_t rank : {late, 1 - late}) save_on(rank, 3);
    for (const auto& saver : savers) ASSERT_TRUE(saver->wait());

    for (const auto& saver : savers) {
      const auto results = saver->take_results();
      ASSERT_EQ(results.size(), 3U);
      for (const SaveResult& result : results) EXPECT_EQ(result.status.has_value(), result.step != 2);
    }
    EXPECT_EQ(open_newest(folder.path())->reader.manifest().step, 3);
  }
}

TEST(SavedByRanks, FailsOnAllIfOneCannotWrite) {
  const test::TempFolder folder;
  ASSERT_TRUE(save(folder.path(), 1, 3).at(0).status);

  const auto results = save(folder.path(), 2, 3, [](int rank, Snapshot& snapshot) {
    if (rank == 1) snapshot.tensors.push_back(snapshot.tensors.front());  // a name given twice
  });

  for (const SaveResult& result : results) EXPECT_FALSE(result.status);
  EXPECT_THAT(results[0].status.error().text(), HasSubstr("rank 1 could not save"));
  EXPECT_THAT(results[2].status.error().text(), HasSubstr("rank 0 could not save"));
  EXPECT_EQ(results[0].status.error().code, ErrorCode::PeerLost);
  EXPECT_NE(results[1].status.error().code, ErrorCode::PeerLost) << "the one that could not says why";
  EXPECT_EQ(results[2].status.error().code, ErrorCode::PeerLost);
  EXPECT_EQ(open_newest(folder.path())->reader.manifest().step, 1);
  ASSERT_TRUE(save(folder.path(), 3, 3).at(0).status);  // and the next one is saved again
  EXPECT_EQ(open_newest(folder.path())->reader.manifest().step, 3);
}

// Out of memory, say: here a tensor without data.
TEST(SavedByRanks, FailsOnAllAtOnceIfOneThrows) {
  for (const int thrower : {0, 1}) {
    const test::TempFolder folder;
    const clock::Stopwatch watch;
    const auto results = save(folder.path(), 1, 2, [&](int rank, Snapshot& snapshot) {
      if (rank == thrower)
        snapshot.tensors.front().value = at::empty({35}, at::TensorOptions(at::kFloat).device(at::kMeta));
    });

    for (const SaveResult& result : results) EXPECT_FALSE(result.status) << "rank " << thrower << " throws";
    EXPECT_LT(watch.seconds(), 10) << "the deadline is 20 s";
    ASSERT_TRUE(save(folder.path(), 2, 2).at(0).status);
  }
}

TEST(SavedByRanks, FailsIfTheFirstCannot) {
  const test::TempFolder folder;
  ASSERT_TRUE(files::write_atomic(folder / "checkpoints", "a file where the folder should be"));

  for (const SaveResult& result : save(folder / "checkpoints", 1, 2)) EXPECT_FALSE(result.status);
}

TEST(SavedByRanks, DoesNotWaitForeverForOneThatIsGone) {
  const test::TempFolder folder;
  test::Board board;
  SaverOptions options{
      .folder = folder.path(), .run_id = "r", .config_digest = "d", .generation = 1, .retention = {}};
  options.meeting = std::make_shared<test::BoardMeeting>(board, 0, 2);
  options.deadline = std::chrono::milliseconds(100);
  Saver saver(options);

  saver.save_in_place(snapshot_of(1, 0, 2));

  EXPECT_EQ(saver.take_results().at(0).status.error().code, ErrorCode::Timeout);
  EXPECT_EQ(open_newest(folder.path()).error().code, ErrorCode::NotFound);
}

}  // namespace
}  // namespace zt::checkpoint
