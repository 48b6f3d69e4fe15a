// SPDX-License-Identifier: Apache-2.0
// A rank whose schedule leaves that of the others: all end at once, and the flight records that they leave
// name it. Compute plane and launcher meet here in the record's file alone.
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "cli/failure/first_missing.hpp"
#include "contract/words/flight.hpp"
#include "dist/group.hpp"
#include "support/rank_processes.hpp"
#include "support/temp_folder.hpp"
#include "train/journal/flight_dump.hpp"

namespace zt {
namespace {

using std::chrono::seconds;

std::filesystem::path record_of(const test::TempFolder& folder, int rank) {
  return folder / fmt::format("flight-{}", rank);
}

/// Five steps; in the fourth rank 2 gathers where the others sum. Says when and how that ended.
std::string train(const test::RankSeat& seat, const std::string& backend, const test::TempFolder& folder) {
  dist::GroupOptions options;
  options.backend = backend;
  options.compare_after = std::chrono::milliseconds(300);
  options.store = seat.meet();
  options.rank = options.world_rank = seat.rank;
  options.size = seat.size;
  const auto group = dist::form_group(options, clock::in(seconds(20))).value();
  const auto words = std::make_shared<train::RankWords>(
      contract::ProgressWriter::open(folder / fmt::format("page-{}", seat.rank)).value(), /*generation=*/1);
  train::FlightDump flight(record_of(folder, seat.rank), words);
  flight.follow(*group);
  group->observe(words.get());
  const at::Tensor whole_P = at::ones({3 * 256}), part_S = at::ones({256});
  for (int step = 1; step <= 5; ++step) {
    const clock::Stopwatch watch;
    const bool diverges = step == 4 && seat.rank == 2;
    dist::Pending exchange = diverges ? group->all_gather_into(whole_P, part_S, "unit.8 values")
                                      : group->reduce_scatter_into(part_S, whole_P, "unit.7 gradients");
    if (const Status done = exchange.wait(clock::in(seconds(20))); !done) {
      if (const Status written = flight.write(done.error().text()); !written) return written.error().text();
      const bool names_it =
          done.error().text().find(diverges ? "unit.8 values" : "unit.7 gradients") != std::string::npos;
      if (!names_it || step != 4) return done.error().text();
      std::printf("rank %d of a schedule that diverges ended after %.1f ms (%s)\n", seat.rank,
                  1e3 * watch.seconds(), backend.c_str());
      std::fflush(stdout);  // a rank ends without
      return watch.seconds() < (backend == "gloo" ? 3 : 1) ? "ok" : "it took too long";
    }
  }
  return "nothing was found";
}

class Schedule : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Backends, Schedule, ::testing::Values("shared-memory", "gloo"),
                         [](const auto& value) { return value.param == "gloo" ? "Gloo" : "SharedMemory"; });

TEST_P(Schedule, ThatDivergesIsFoundAndBlamedOnItsRank) {
  const test::TempFolder folder;
  {
    test::RankProcesses ranks(3, [&](const test::RankSeat& seat) { return train(seat, GetParam(), folder); });
    ranks.expect_all_ok();
  }

  std::vector<std::optional<contract::Flight>> flights;
  for (int rank = 0; rank < 3; ++rank)
    flights.emplace_back(contract::read_flight(record_of(folder, rank)).value());
  const auto missing = cli::first_missing(flights);

  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->kind, cli::Missing::Kind::Diverged);
  EXPECT_EQ(missing->ranks, std::vector<int64_t>{2});
  EXPECT_NE(cli::text_of(*missing).find(
                "rank 2 is in a different operation than reduce_scatter 'unit.7 gradients'"),
            std::string::npos)
      << cli::text_of(*missing);
}

}  // namespace
}  // namespace zt
