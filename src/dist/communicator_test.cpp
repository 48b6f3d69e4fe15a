// SPDX-License-Identifier: Apache-2.0
// Every operation, on every backend, among one to four real processes.
#include "dist/communicator.hpp"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "base/clock.hpp"
#include "dist/group.hpp"
#include "support/rank_processes.hpp"
#include "tensor/require.hpp"

namespace zt::dist {
namespace {

using std::chrono::seconds;
using test::RankProcesses;
using test::RankSeat;

std::unique_ptr<Communicator> form(const RankSeat& seat, const std::string& backend) {
  GroupOptions options;
  if (seat.size > 1) options.store = seat.meet();
  options.rank = options.world_rank = seat.rank;
  options.size = seat.size;
  options.backend = backend;
  auto group = form_group(options, clock::in(seconds(20)));
  if (!group) {
    seat.parent->say(group.error().text());
    ::_exit(1);
  }
  return std::move(*group);
}

clock::Deadline soon() { return clock::in(seconds(20)); }

/// What rank `rank` brings along: any rank can say what another one's tensor holds.
at::Tensor brought_by(int rank, int64_t numel, at::ScalarType type) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(rank) * 1000 + 7);
  return at::randn({numel}, generator, at::kFloat).mul_(100).to(type);
}

/// The tree over one to four ranks, written out.
template <class T>
at::Tensor reference_sum(int ranks, int64_t numel, at::ScalarType type) {
  std::vector<at::Tensor> brought;
  for (int rank = 0; rank < ranks; ++rank) brought.push_back(brought_by(rank, numel, type));
  const auto value = [&](size_t rank, int64_t i) {
    return static_cast<const T*>(brought[rank].data_ptr())[i];
  };
  at::Tensor sum = at::empty({numel}, type);
  for (int64_t i = 0; i < numel; ++i) {
    T total = value(0, i);
    if (ranks > 1) total = total + value(1, i);
    if (ranks == 3) total = total + value(2, i);
    if (ranks == 4) total = total + (value(2, i) + value(3, i));
    static_cast<T*>(sum.data_ptr())[i] = total;
  }
  return sum;
}

at::Tensor reference_sum(int ranks, int64_t numel, at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return reference_sum<float>(ranks, numel, type);
    case at::kBFloat16:
      return reference_sum<at::BFloat16>(ranks, numel, type);
    case at::kHalf:
      return reference_sum<at::Half>(ranks, numel, type);
    default:
      return reference_sum<int64_t>(ranks, numel, type);
  }
}

bool is_bit_equal(const at::Tensor& a, const at::Tensor& b) {
  return a.scalar_type() == b.scalar_type() && a.nbytes() == b.nbytes() &&
         std::memcmp(a.data_ptr(), b.data_ptr(), a.nbytes()) == 0;
}

#define WANT(condition, ...) \
  if (!(condition)) return fmt::format("{}: {}", #condition, fmt::format(__VA_ARGS__))
#define WANT_OK(expression) \
  if (const Status status = (expression); !status) return status.error().text()

/// (ranks, backend)
class Collectives : public testing::TestWithParam<std::tuple<int, std::string>> {
 protected:
  void on_every_rank(const std::function<std::string(Communicator&)>& body) {
    const auto& [size, backend] = GetParam();
    RankProcesses ranks(size, [&, name = backend](const RankSeat& seat) {
      const auto group = form(seat, name);
      const std::string problem = body(*group);
      return problem.empty() ? std::string("ok") : problem;
    });
    ranks.expect_all_ok();
  }
};

/// Less and more than a slot's piece (256 KiB over the peers); with fp32 also more than four slots hold.
std::vector<int64_t> sizes(at::ScalarType type, int64_t largest_fp32 = 300'001) {
  return type == at::kFloat ? std::vector<int64_t>{1, 7, 257, largest_fp32} : std::vector<int64_t>{7, 50'001};
}

TEST_P(Collectives, GatherEveryRanksPartInOrder) {
  on_every_rank([](Communicator& group) -> std::string {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kLong, at::kByte, at::kBool}) {
      for (const int64_t numel : sizes(type)) {
        const at::Tensor all = at::zeros({numel * group.size()}, type);
        WANT_OK(group.all_gather_into(all, brought_by(group.rank(), numel, type), "t").wait(soon()));
        for (int rank = 0; rank < group.size(); ++rank)
          WANT(is_bit_equal(all.narrow(0, rank * numel, numel), brought_by(rank, numel, type)),
               "{} of rank {}", numel, rank);
      }
    }
    return "";
  });
}

TEST_P(Collectives, GatherInPlace) {
  on_every_rank([](Communicator& group) -> std::string {
    const int64_t numel = 70'001;
    const at::Tensor all = at::zeros({numel * group.size()});
    const at::Tensor mine = all.narrow(0, group.rank() * numel, numel);
    mine.copy_(brought_by(group.rank(), numel, at::kFloat));
    WANT_OK(group.all_gather_into(all, mine, "t").wait(soon()));
    for (int rank = 0; rank < group.size(); ++rank)
      WANT(is_bit_equal(all.narrow(0, rank * numel, numel), brought_by(rank, numel, at::kFloat)), "{}", rank);
    return "";
  });
}

TEST_P(Collectives, ReduceScatterSumsInTreeOrder) {
  on_every_rank([](Communicator& group) -> std::string {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf, at::kLong}) {
      for (const int64_t numel : sizes(type, 100'001)) {
        const at::Tensor part = at::zeros({numel}, type);
        const at::Tensor whole = brought_by(group.rank(), numel * group.size(), type);
        WANT_OK(group.reduce_scatter_into(part, whole, "t").wait(soon()));
        const at::Tensor wanted = reference_sum(group.size(), numel * group.size(), type);
        WANT(is_bit_equal(part, wanted.narrow(0, group.rank() * numel, numel)), "{} elements", numel);
      }
    }
    return "";
  });
}

TEST_P(Collectives, AllReduceGivesEveryRankTheSameBits) {
  on_every_rank([](Communicator& group) -> std::string {
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf, at::kLong}) {
      for (const int64_t numel : sizes(type)) {
        const at::Tensor buffer = brought_by(group.rank(), numel, type);
        WANT_OK(group.all_reduce(buffer, Reduction::Sum, "t").wait(soon()));
        WANT(is_bit_equal(buffer, reference_sum(group.size(), numel, type)), "{} elements", numel);
      }
    }
    return "";
  });
}

TEST_P(Collectives, AllReduceFindsTheMaximum) {
  on_every_rank([](Communicator& group) -> std::string {
    const at::Tensor buffer = at::full({3}, -1.0F - static_cast<float>(group.rank()));
    buffer[1] = group.rank();
    WANT_OK(group.all_reduce(buffer, Reduction::Max, "t").wait(soon()));
    const float last = static_cast<float>(group.size() - 1);
    WANT(at::equal(buffer, at::tensor({-1.0F, last, -1.0F})), "rank {}", group.rank());
    return "";
  });
}

TEST_P(Collectives, BroadcastFromEveryRoot) {
  on_every_rank([](Communicator& group) -> std::string {
    for (int root = 0; root < group.size(); ++root) {
      for (const int64_t numel : sizes(at::kByte)) {
        const at::Tensor buffer = brought_by(group.rank(), numel, at::kByte);
        WANT_OK(group.broadcast(buffer, root, "t").wait(soon()));
        WANT(is_bit_equal(buffer, brought_by(root, numel, at::kByte)), "{} from {}", numel, root);
      }
    }
    return "";
  });
}

TEST_P(Collectives, CompleteInOrderWhateverIsWaitedForFirst) {
  on_every_rank([](Communicator& group) -> std::string {
    constexpr int64_t kNumel = 100'003;  // several rounds, so that most of the work is left to the waits
    std::vector<at::Tensor> sums, gathered;
    std::vector<Pending> pending;
    for (int i = 0; i < 4; ++i) {
      sums.push_back(brought_by(group.rank() + i, kNumel, at::kFloat));
      pending.push_back(group.all_reduce(sums.back(), Reduction::Sum, "sum"));
      gathered.push_back(at::zeros({kNumel * group.size()}));
      pending.push_back(
          group.all_gather_into(gathered.back(), brought_by(group.rank(), kNumel, at::kFloat), "g"));
    }
    if (group.rank() % 2 == 0) WANT_OK(pending[3].wait(soon()));
    WANT_OK(pending.back().wait(soon()));
    WANT_OK(pending.front().wait(soon()));
    WANT(is_bit_equal(sums[0], reference_sum(group.size(), kNumel, at::kFloat)), "first sum");
    for (const at::Tensor& all : gathered)
      for (int rank = 0; rank < group.size(); ++rank)
        WANT(is_bit_equal(all.narrow(0, rank * kNumel, kNumel), brought_by(rank, kNumel, at::kFloat)), "{}",
             rank);
    return "";
  });
}

TEST_P(Collectives, ManyLargeSumsMayBeUnderWayAtOnce) {
  on_every_rank([](Communicator& group) -> std::string {
    const int64_t part = 4'000'000 / group.size();  // 16 MB each, 160 MB in all
    const at::Tensor whole = at::full({part * group.size()}, static_cast<float>(group.rank() + 1));
    std::vector<at::Tensor> sums;
    std::vector<Pending> pending;
    for (int i = 0; i < 10; ++i) {
      sums.push_back(at::zeros({part}));
      pending.push_back(group.reduce_scatter_into(sums.back(), whole, "t"));
    }
    WANT_OK(pending.back().wait(soon()));
    const auto wanted = static_cast<float>(group.size() * (group.size() + 1) / 2);
    for (const at::Tensor& sum : sums)
      WANT(at::equal(sum, at::full_like(sum, wanted)), "rank {}", group.rank());
    return "";
  });
}

TEST_P(Collectives, BarrierHoldsUntilAllAreThere) {
  const auto& [size, backend] = GetParam();
  if (size == 1) return;  // nobody to wait for
  RankProcesses ranks(size, [name = backend](const RankSeat& seat) -> std::string {
    const auto group = form(seat, name);
    if (seat.rank == 0) {
      seat.parent->say("outside");
      seat.parent->hear(soon());
    }
    const Status status = group->barrier("t").wait(soon());
    return status ? "ok" : status.error().text();
  });
  EXPECT_EQ(ranks.hear(0), "outside");
  EXPECT_EQ(ranks.hear(1, std::chrono::milliseconds(30)), "<silence>");
  ranks.say(0, "go in");
  ranks.expect_all_ok();
}

TEST_P(Collectives, TrafficOfAShardedStepIsWhatTheTableSays) {
  on_every_rank([](Communicator& group) -> std::string {
    const int64_t psi = 12'000, ranks = group.size();
    const at::Tensor gradients = at::ones({psi}), part = at::zeros({psi / ranks});
    WANT_OK(group.reduce_scatter_into(part, gradients, "t").wait(soon()));
    WANT_OK(group.all_gather_into(gradients, part, "t").wait(soon()));
    WANT_OK(group.barrier("t").wait(soon()));
    const TrafficOf step = group.traffic().total();
    // docs of ZeRO: 2 Psi (N - 1) / N elements per rank and step.
    WANT(step.elements_sent == 2 * psi * (ranks - 1) / ranks, "{} sent", step.elements_sent);
    WANT(step.elements_received == step.elements_sent, "{} received", step.elements_received);
    WANT(step.bytes_sent == 4 * step.elements_sent, "{} bytes", step.bytes_sent);
    WANT(group.traffic().of(Collective::AllGather).operations == 1, "all-gathers");
    return "";
  });
}

std::string name_of(const testing::TestParamInfo<std::tuple<int, std::string>>& info) {
  std::string name = std::get<1>(info.param) + std::to_string(std::get<0>(info.param));
  name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
  return name;
}
INSTANTIATE_TEST_SUITE_P(Alone, Collectives, testing::Values(std::tuple(1, std::string("auto"))), name_of);
INSTANTIATE_TEST_SUITE_P(Backends, Collectives,
                         testing::Combine(testing::Values(2, 3, 4),
                                          testing::Values(std::string("shared-memory"), std::string("gloo"))),
                         name_of);

TEST(Communicator, LeavesThatRequireGradientsAreWrittenWithoutAGraph) {
  RankProcesses ranks(2, [](const RankSeat& seat) -> std::string {
    const auto group = form(seat, "shared-memory");
    const at::Tensor leaf = at::full({6}, 1.0F).requires_grad_();
    WANT_OK(group->all_reduce(leaf, Reduction::Sum, "small").wait(soon()));
    const at::Tensor large = at::full({10'000}, 1.0F).requires_grad_();
    WANT_OK(group->all_reduce(large, Reduction::Sum, "large").wait(soon()));
    WANT(leaf.is_leaf() && at::equal(leaf.detach(), at::full({6}, 2.0F)), "small");
    WANT(large.is_leaf() && at::equal(large.detach(), at::full({10'000}, 2.0F)), "large");
    return "ok";
  });
  ranks.expect_all_ok();
}

TEST(Communicator, ShapesThatDoNotFitThrow) {
  GroupOptions options;
  const auto group = std::move(*form_group(options, soon()));

  EXPECT_THROW(group->all_gather_into(at::zeros({3}), at::zeros({2}), "t"), tensor::ContractError);
  EXPECT_THROW(group->reduce_scatter_into(at::zeros({2, 2}), at::zeros({2, 2}), "t"), tensor::ContractError);
  EXPECT_THROW(group->all_reduce(at::zeros({2}, at::kByte), Reduction::Sum, "t"), tensor::ContractError);
  EXPECT_THROW(group->broadcast(at::zeros({2}), 1, "t"), tensor::ContractError);
}

TEST(Communicator, FlightHoldsTheLastThousandOperations) {
  const auto group = std::move(*form_group(GroupOptions{}, soon()));
  for (int i = 0; i < 1005; ++i) {
    Pending pending = group->barrier("step " + std::to_string(i));
    if (i < 1003) {
      ASSERT_TRUE(pending.wait(soon()));
    }
  }

  const std::vector<FlightEntry> flight = group->flight()->entries();

  ASSERT_EQ(flight.size(), 1000U);
  EXPECT_EQ(flight.front().label, "step 5");
  EXPECT_EQ(flight[997].state, FlightState::Complete);
  EXPECT_EQ(flight[998].state, FlightState::Started);
  EXPECT_EQ(flight.back().label, "step 1004");
}

TEST(FlightRecorder, FingerprintsTellWhatDiffers) {
  RankProcesses ranks(1, [](const RankSeat& seat) -> std::string {
    const auto group = form(seat, "auto");
    const at::Tensor four = at::ones({4}), eight = at::ones({8}), halves = at::ones({4}, at::kHalf);
    for (const at::Tensor& buffer : {four, four, eight, halves}) (void)group->broadcast(buffer, 0, "a");
    (void)group->broadcast(four, 0, "b");
    const auto flight = group->flight()->entries();
    if (flight[1].fingerprint != flight[0].fingerprint) return "the same is different";
    for (size_t i = 2; i < flight.size(); ++i)
      if (flight[i].fingerprint == flight[0].fingerprint) return fmt::format("{} is the same", i);
    return "ok";
  });
  ranks.expect_all_ok();
}

TEST(WaitObserver, IsToldWhatIsWaitedForAndTheRecordOutlivesTheGroup) {
  RankProcesses ranks(2, [](const RankSeat& seat) -> std::string {
    struct Notes : WaitObserver {
      std::string text;
      void wait_begins(const FlightEntry& operation) override { text += "<" + operation.label; }
      void wait_ends() override { text += ">"; }
    } notes;
    auto group = form(seat, "auto");
    group->observe(&notes);
    Pending first = group->barrier("one"), second = group->barrier("two");
    if (!second.wait(soon()) || !first.wait(soon())) return "no barrier";
    const auto flight = group->flight();
    group.reset();
    if (flight->entries().back().label != "two") return "no record";
    return notes.text == "<two>" ? "ok" : notes.text;
  });
  ranks.expect_all_ok();
}

}  // namespace
}  // namespace zt::dist
