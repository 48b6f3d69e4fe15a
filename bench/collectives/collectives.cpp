// SPDX-License-Identifier: Apache-2.0
// How long does a collective take among ranks of one host, over shared memory and over Gloo? Forks 2 and 4
// ranks that hold a group of each backend and run every operation on both, in turn; prints a table of medians
// over the repetitions, of the slowest rank's time. Sizes are of the larger buffer. Usage:
// zt_bench_collectives
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "dist/communicator.hpp"
#include "dist/group.hpp"
#include "support/rank_processes.hpp"

namespace {

using namespace zt;
using dist::Communicator;

constexpr std::array<const char*, 2> kBackends{"shared-memory", "gloo"};
constexpr std::array<const char*, 5> kOperations{"all_gather", "reduce_scatter", "all_reduce", "broadcast",
                                                 "barrier"};
constexpr std::array<int64_t, 3> kSizesKib{64, 1024, 16 * 1024};

clock::Deadline soon() { return clock::in(std::chrono::seconds(60)); }

std::unique_ptr<Communicator> form(const test::RankSeat& seat,
                                   const std::shared_ptr<rendezvous::Client>& store, const char* backend) {
  dist::GroupOptions options;
  options.store = store;
  options.name = options.backend = backend;
  options.rank = options.world_rank = seat.rank;
  options.size = seat.size;
  return std::move(*dist::form_group(options, soon()));
}

void run(Communicator& group, const std::string& operation, const at::Tensor& whole, const at::Tensor& part) {
  const auto pending = [&] {
    if (operation == "all_gather") return group.all_gather_into(whole, part, operation);
    if (operation == "reduce_scatter") return group.reduce_scatter_into(part, whole, operation);
    if (operation == "all_reduce") return group.all_reduce(whole, dist::Reduction::Sum, operation);
    if (operation == "broadcast") return group.broadcast(whole, 0, operation);
    return group.barrier(operation);
  };
  if (const Status status = pending().wait(soon()); !status) {
    fmt::print(stderr, "{}\n", status.error().text());
    ::_exit(1);
  }
}

/// Seconds of the slowest rank, the same on all of them.
double slowest(Communicator& group, double seconds) {
  const at::Tensor time = at::full({1}, seconds, at::kDouble);
  [[maybe_unused]] const Status status = group.all_reduce(time, dist::Reduction::Max, "time").wait(soon());
  return time.item<double>();
}

/// Median microseconds of each backend, which take turns.
std::array<double, 2> measure(const std::array<std::unique_ptr<Communicator>, 2>& groups,
                              const std::string& operation, int64_t kib) {
  const int64_t size = groups[0]->size();
  const at::Tensor whole = at::zeros({kib * 256}), part = at::zeros({kib * 256 / size});
  const int repetitions = kib > 4096 ? 15 : 60;
  std::array<std::vector<double>, 2> times;
  for (int i = 0; i < repetitions + 2; ++i) {
    for (size_t b = 0; b < groups.size(); ++b) {
      run(*groups[0], "barrier", whole, part);
      const clock::Stopwatch watch;
      run(*groups[b], operation, whole, part);
      const double seconds = slowest(*groups[0], watch.seconds());
      if (i >= 2) times[b].push_back(seconds * 1e6);
    }
  }
  for (std::vector<double>& one : times)
    std::nth_element(one.begin(), one.begin() + repetitions / 2, one.end());
  return {times[0][static_cast<size_t>(repetitions / 2)], times[1][static_cast<size_t>(repetitions / 2)]};
}

std::string bench(const test::RankSeat& seat) {
  at::set_num_threads(1);
  const auto store = seat.meet();
  const std::array groups{form(seat, store, kBackends[0]), form(seat, store, kBackends[1])};
  for (const char* operation : kOperations) {
    for (const int64_t kib : kSizesKib) {
      const bool has_data = std::string(operation) != "barrier";
      if (!has_data && kib != kSizesKib.front()) continue;
      const auto [shared_us, gloo_us] = measure(groups, operation, kib);
      const double mib = static_cast<double>(kib) / 1024;
      seat.parent->say(has_data
                           ? fmt::format("| {} | {} | {:.4g} | {:.0f} | {:.0f} | {:.1f} | {:.2f} | {:.2f} |",
                                         seat.size, operation, mib, shared_us, gloo_us, gloo_us / shared_us,
                                         mib / 1024 / shared_us * 1e6, mib / 1024 / gloo_us * 1e6)
                           : fmt::format("| {} | {} | | {:.0f} | {:.0f} | {:.1f} | | |", seat.size, operation,
                                         shared_us, gloo_us, gloo_us / shared_us));
    }
  }
  return "end";
}

}  // namespace

int main() {
  fmt::print(
      "| ranks | operation | MiB | shared memory, us | Gloo, us | ratio | shared, GiB/s | Gloo, GiB/s |\n"
      "|---|---|---|---|---|---|---|---|\n");
  for (const int size : {2, 4}) {
    test::RankProcesses ranks(size, bench);
    for (std::string line = ranks.hear(0); line != "end"; line = ranks.hear(0)) {
      if (line == "<end>" || line == "<silence>") return 1;
      fmt::print("{}\n", line);
      std::fflush(stdout);
    }
    for (int rank = 1; rank < size; ++rank)
      while (ranks.hear(rank) != "end") {
      }
  }
  return 0;
}
