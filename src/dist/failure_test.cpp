// SPDX-License-Identifier: Apache-2.0
// Real processes that die, stop, give up or go astray in the middle of operations.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "dist/communicator.hpp"
#include "dist/group.hpp"
#include "support/file_limit.hpp"
#include "support/memory_files.hpp"
#include "support/rank_processes.hpp"

namespace zt::dist {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::RankProcesses;
using test::RankSeat;

struct Place {
  std::string backend;
  int rank = 0;
  int size = 0;
  int64_t generation = 1;
};

std::unique_ptr<Communicator> form(const RankSeat& seat, const Place& place) {
  GroupOptions options;
  options.store = seat.meet(place.generation);
  options.backend = place.backend;
  options.rank = place.rank;
  options.size = place.size;
  options.world_rank = seat.rank;
  options.host = "node" + std::to_string(seat.rank);
  options.compare_after = milliseconds(100);
  auto group = form_group(options, clock::in(seconds(20)));
  if (!group) {
    seat.parent->say(group.error().text());
    ::_exit(1);
  }
  return std::move(*group);
}
std::unique_ptr<Communicator> form(const RankSeat& seat, const std::string& backend) {
  return form(seat, {backend, seat.rank, seat.size, 1});
}

/// 1 MiB a rank, so that an operation takes several rounds.
struct Buffers {
  explicit Buffers(int size) : whole(at::ones({size * kPart})), part(at::ones({kPart})) {}
  static constexpr int64_t kPart = 256 * 1024 + 3;
  at::Tensor whole, part;
};

Status run(Communicator& group, const std::string& operation, Buffers& buffers, clock::Deadline deadline) {
  const std::string label = "unit.7";
  if (operation == "all_gather")
    return group.all_gather_into(buffers.whole, buffers.part, label).wait(deadline);
  if (operation == "reduce_scatter")
    return group.reduce_scatter_into(buffers.part, buffers.whole, label).wait(deadline);
  if (operation == "all_reduce") return group.all_reduce(buffers.whole, Reduction::Max, label).wait(deadline);
  if (operation == "broadcast") return group.broadcast(buffers.whole, 1, label).wait(deadline);
  return group.barrier(label).wait(deadline);
}

/// Repeats the operation, with word to the parent after the first, until it fails.
Error run_until_failure(const RankSeat& seat, Communicator& group, const std::string& operation,
                        milliseconds limit) {
  Buffers buffers(seat.size);
  for (int round = 0;; ++round) {
    if (Status status = run(group, operation, buffers, clock::in(limit)); !status) return status.error();
    if (round == 0) seat.parent->say("under way");
  }
}

/// (backend, operation)
class Failures : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

/// The survivors, ranks 0 and 2 of 3, become ranks 0 and 1 of the next generation's 2.
std::string form_again_and_sum(const RankSeat& seat, const std::string& backend) {
  const auto group = form(seat, {backend, seat.rank / 2, 2, 2});
  const at::Tensor sum = at::full({5}, static_cast<float>(seat.rank + 1));
  const Status status = group->all_reduce(sum, Reduction::Sum, "again").wait(clock::in(seconds(20)));
  if (!status) return status.error().text();
  return at::equal(sum, at::full({5}, 4.0F)) ? "ok" : "wrong sum";
}

TEST_P(Failures, KilledRankIsNamedWithinASecondAndTheOthersFormAgain) {
  RankProcesses ranks(3, [&](const RankSeat& seat) -> std::string {
    const auto& [backend, operation] = GetParam();
    auto group = form(seat, backend);
    const Error error = run_until_failure(seat, *group, operation, seconds(20));
    seat.parent->say(error.text());
    const auto& failure = group->failure();
    if (error.code != ErrorCode::PeerLost || !failure || failure->world_ranks != std::vector<int>{1})
      return "not rank 1 lost";
    group.reset();
    return form_again_and_sum(seat, backend);
  });
  for (int rank = 0; rank < 3; ++rank) ASSERT_EQ(ranks.hear(rank), "under way");
  const std::string& operation = std::get<1>(GetParam());

  ranks.signal(1, SIGKILL);

  const clock::Deadline in_time = clock::in(seconds(1));
  for (const int rank : {0, 2}) {
    const std::string text = ranks.hear(rank, clock::left(in_time));
    EXPECT_NE(text.find("rank 1 on node1 is gone"), std::string::npos) << text;
    EXPECT_NE(text.find("unit.7 " + operation), std::string::npos) << text;
  }
  for (const int rank : {0, 2}) EXPECT_EQ(ranks.hear(rank), "ok");
}

TEST_P(Failures, StoppedRankIsNamedAtTheDeadline) {
  RankProcesses ranks(3, [&](const RankSeat& seat) -> std::string {
    const auto& [backend, operation] = GetParam();
    const auto group = form(seat, backend);
    const Error error = run_until_failure(seat, *group, operation, milliseconds(300));
    const auto& failure = group->failure();
    const bool is_right = error.code == ErrorCode::Timeout && failure->world_ranks == std::vector<int>{1};
    seat.parent->say(is_right ? error.text() : "not rank 1 late: " + error.text());
    seat.parent->hear(clock::in(seconds(20)));  // a rank that left early would be a lost peer to the other
    return "";
  });
  for (int rank = 0; rank < 3; ++rank) ASSERT_EQ(ranks.hear(rank), "under way");

  ranks.signal(1, SIGSTOP);

  const clock::Deadline in_time = clock::in(seconds(1));
  for (const int rank : {0, 2}) {
    const std::string text = ranks.hear(rank, clock::left(in_time));
    EXPECT_EQ(text.find(fmt::format("rank {0} on node{0} waited 0.", rank)), 0U) << text;
    EXPECT_NE(text.find(" s for rank 1 on node1 in unit.7 " + std::get<1>(GetParam())), std::string::npos)
        << text;
  }
}

std::string name_of(const testing::TestParamInfo<std::tuple<std::string, std::string>>& info) {
  std::string name = std::get<0>(info.param) + "_" + std::get<1>(info.param);
  name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
  return name;
}
INSTANTIATE_TEST_SUITE_P(Backends, Failures,
                         testing::Combine(testing::Values("shared-memory", "gloo"),
                                          testing::Values("all_gather", "reduce_scatter", "all_reduce",
                                                          "broadcast", "barrier")),
                         name_of);

class Backends : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, Backends, testing::Values("shared-memory", "gloo"));

TEST_P(Backends, AbortFromAnotherThreadEndsTheWaitAndTellsThePeers) {
  RankProcesses ranks(2, [](const RankSeat& seat) -> std::string {
    const auto group = form(seat, GetParam());
    if (seat.rank == 1) {
      const Status status = group->barrier("t").wait(clock::in(seconds(20)));
      if (!status) return "too early";
      seat.parent->say("through");
      seat.parent->hear(clock::in(seconds(20)));
      // The first may still complete: the other had entered it before it gave up.
      Status after = group->barrier("t").wait(clock::in(seconds(20)));
      if (after) after = group->barrier("t").wait(clock::in(seconds(20)));
      return !after && after.error().code == ErrorCode::PeerLost ? "ok" : "peer did not notice";
    }
    if (const Status status = group->barrier("t").wait(clock::in(seconds(20))); !status)
      return status.error().text();
    std::thread other([&] {
      seat.parent->hear(clock::in(seconds(20)));
      group->abort();
    });
    seat.parent->say("waiting");
    const Status status = group->barrier("t").wait(clock::in(seconds(20)));
    other.join();
    return !status && status.error().code == ErrorCode::Cancelled ? "ok" : "wait did not end";
  });
  ASSERT_EQ(ranks.hear(0), "waiting");
  ASSERT_EQ(ranks.hear(1), "through");
  ranks.say(0, "abort");
  EXPECT_EQ(ranks.hear(0, seconds(1)), "ok");
  ranks.say(1, "go on");
  EXPECT_EQ(ranks.hear(1, seconds(1)), "ok");
}

// An exchange that was started is not done because the group was given up, nor is one that begins after that.
TEST_P(Backends, NothingIsDoneAfterAnAbort) {
  RankProcesses ranks(2, [](const RankSeat& seat) -> std::string {
    const auto group = form(seat, GetParam());
    if (!group->barrier("t").wait(clock::in(seconds(20)))) return "no barrier";
    seat.parent->say("through");
    seat.parent->hear(clock::in(seconds(20)));
    if (seat.rank == 1) return "ok";
    Pending started = group->barrier("t");
    group->abort();
    const Status before = started.wait(clock::in(seconds(20))),
                 after = group->barrier("t").wait(clock::in(seconds(20)));
    return !before && !after && before.error().code == ErrorCode::Cancelled ? "ok" : "done";
  });
  for (int rank = 0; rank < 2; ++rank) ASSERT_EQ(ranks.hear(rank), "through");
  ranks.say(0, "go on");
  EXPECT_EQ(ranks.hear(0), "ok");
  ranks.say(1, "go on");
  EXPECT_EQ(ranks.hear(1), "ok");
}

size_t num_entries(const char* folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST_P(Backends, LeaveNoThreadAndNoDescriptorBehind) {
  RankProcesses ranks(2, [](const RankSeat& seat) -> std::string {
    const size_t threads = num_entries("/proc/self/task"), files = num_entries("/proc/self/fd");
    for (const int64_t generation : {1, 2}) {
      const auto group = form(seat, {GetParam(), seat.rank, 2, generation});
      if (!group->barrier("t").wait(clock::in(seconds(20)))) return "no barrier";
      seat.parent->say("through");
      seat.parent->hear(clock::in(seconds(20)));
      if (generation == 2) group->abort();
    }
    const size_t more_threads = num_entries("/proc/self/task") - threads;
    const size_t more_files = num_entries("/proc/self/fd") - files;
    if (more_threads == 0 && more_files == 0) return "ok";
    return fmt::format("{} threads and {} descriptors are left", more_threads, more_files);
  });
  for (int generation = 1; generation <= 2; ++generation) {
    for (int rank = 0; rank < 2; ++rank) ASSERT_EQ(ranks.hear(rank), "through");
    for (int rank = 0; rank < 2; ++rank) ranks.say(rank, "go on");
  }
  ranks.expect_all_ok();
}

TEST_P(Backends, RanksThatDoDifferentThingsFail) {
  RankProcesses ranks(2, [](const RankSeat& seat) -> std::string {
    const auto group = form(seat, GetParam());
    const at::Tensor buffer = at::ones({seat.rank == 0 ? 4 : 8});
    const Status status = group->broadcast(buffer, 0, "t").wait(clock::in(seconds(20)));
    // The root of a Gloo broadcast only sends; it is told by its next operation.
    const Status next = status ? group->barrier("t").wait(clock::in(seconds(20))) : status;
    const std::string text = next ? "no error" : next.error().text();
    const bool is_told = !next && next.error().code == ErrorCode::Internal &&
                         text.find("their schedules differ") != std::string::npos;
    seat.parent->say(is_told ? "ok" : text);
    seat.parent->hear(clock::in(seconds(20)));
    return "";
  });
  ranks.expect_all_ok();
}

TEST(SharedMemory, NoDeathAtAnyMomentLeavesASegment) {
  std::mt19937 random(7);
  std::set<std::string> segments;
  for (int round = 0; round < 12; ++round) {
    RankProcesses ranks(3, [](const RankSeat& seat) -> std::string {
      const auto group = form(seat, "shared-memory");
      for (const std::string& inode : test::memory_files("self", "zoetrope-exchange"))
        seat.parent->say(inode);
      return run_until_failure(seat, *group, "reduce_scatter", seconds(20)).text();
    });
    // The first in the middle of an operation; then somewhere between the first connection and there.
    const clock::Deadline moment =
        clock::in(round == 0 ? seconds(20) : milliseconds(std::uniform_int_distribution(0, 25)(random)));
    for (std::string line; line != "<silence>" && !(round == 0 && line == "under way");) {
      line = ranks.hear(0, clock::left(moment));
      if (line.find_first_not_of("0123456789") == std::string::npos) segments.insert(line);
    }
    for (int rank = 0; rank < 3; ++rank) ranks.signal(rank, SIGKILL);
  }
  EXPECT_FALSE(segments.empty()) << "a segment is no memory file any more: look for what it is";
  EXPECT_EQ(test::holders_of(segments, "zoetrope-exchange"), std::vector<std::string>());
}

// The first rank alone knows why there is none: the others would wait for it as long as they may.
TEST(SharedMemory, ASegmentThatCannotBeMadeIsSaidToEveryRank) {
  RankProcesses ranks(3, [](const RankSeat& seat) -> std::string {
    GroupOptions options;
    options.store = seat.meet();
    options.backend = "shared-memory";
    options.rank = options.world_rank = seat.rank;
    options.size = seat.size;
    const test::FileLimit limit(seat.rank == 0 ? 4096 : RLIM_INFINITY);
    const auto group = form_group(options, clock::in(seconds(20)));
    return group ? "formed" : group.error().text();
  });
  const clock::Deadline in_time = clock::in(seconds(5));
  for (int rank = 0; rank < 3; ++rank) {
    const std::string text = ranks.hear(rank, clock::left(in_time));
    EXPECT_NE(text.find("rank 0: cannot get "), std::string::npos) << text;
    EXPECT_NE(text.find("File too large"), std::string::npos) << text;
  }
}

TEST(Group, TakesSharedMemoryOnOneHostAndGlooAcrossHosts) {
  for (const bool is_one_host : {true, false}) {
    RankProcesses ranks(2, [&](const RankSeat& seat) -> std::string {
      GroupOptions options;
      options.store = seat.meet();
      options.rank = options.world_rank = seat.rank;
      options.size = 2;
      if (!is_one_host) options.host_identity = "host " + std::to_string(seat.rank);
      const auto group = form_group(options, clock::in(seconds(20)));
      if (!group) return group.error().text();
      if (!(*group)->barrier("t").wait(clock::in(seconds(20)))) return "no barrier";
      return (*group)->backend() == (is_one_host ? "shared-memory" : "gloo") ? "ok" : "other backend";
    });
    ranks.expect_all_ok();
  }
}

TEST(Group, NamesTheRankThatDidNotCome) {
  RankProcesses ranks(1, [](const RankSeat& seat) -> std::string {
    GroupOptions options;
    options.store = seat.meet();
    options.size = 2;
    const auto group = form_group(options, clock::in(milliseconds(50)));
    if (group || group.error().code != ErrorCode::Timeout) return "no timeout";
    return group.error().text().starts_with("rank 1 of 2 did not come within 0 s: ") ? "ok"
                                                                                     : group.error().text();
  });
  ranks.expect_all_ok();
}

// The world rank of the first line decides who is whose neighbour.
TEST(Group, TakesNoOtherTextForAnIntroduction) {
  RankProcesses ranks(1, [](const RankSeat& seat) -> std::string {
    GroupOptions options;
    options.store = seat.meet();
    options.size = 2;
    const std::string key = fmt::format("group/{}/member/1", options.name);
    if (!options.store->set(key, "one\nhost\nidentity")) return "the key is not set";
    const auto group = form_group(options, clock::in(milliseconds(500)));
    if (group || group.error().code != ErrorCode::Corrupt) return group ? "a group" : group.error().text();
    return group.error().text().find("is not an introduction: \"one") != std::string::npos
               ? "ok"
               : group.error().text();
  });
  ranks.expect_all_ok();
}

TEST(RankProcesses, AreNotForkedBesideAThread) {
  std::promise<void> end;
  std::thread other([&] { end.get_future().wait(); });

  EXPECT_THROW(RankProcesses(1, [](const RankSeat&) { return std::string("ok"); }), std::runtime_error);

  end.set_value();
  other.join();
}

}  // namespace
}  // namespace zt::dist
