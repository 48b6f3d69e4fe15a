// SPDX-License-Identifier: Apache-2.0
// Ranks as threads of this process, each with a store of its own that keeps its part only.
#include "dist/units/unit_exchange.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "dist/group.hpp"
#include "rendezvous/client.hpp"
#include "rendezvous/server.hpp"
#include "support/param_store.hpp"
#include "tensor/require.hpp"

namespace zt::dist {
namespace {

using namespace std::chrono_literals;

const std::vector<std::string> kUnits = {"first", "second", "third"};
const std::vector<test::TestParam> kParams = {
    {"a", {300}, "first"}, {"b", {70, 9}, "second"}, {"c", {5}, "second"}, {"d", {1000}, "third"}};

std::vector<Visit> there_and_back() {
  std::vector<Visit> walk;
  for (const std::string& unit : kUnits) walk.push_back({unit, Pass::Forward});
  for (auto unit = kUnits.rbegin(); unit != kUnits.rend(); ++unit) walk.push_back({*unit, Pass::Backward});
  return walk;
}

/// A rank with its part of kParams and an exchange over them.
struct Rank {
  Rank(int index, int size, const rendezvous::Server& server, const std::vector<Visit>& walk,
       const std::string& backend) {
    rendezvous::ClientOptions client;
    client.host = "127.0.0.1";
    client.port = server.port();
    client.generation = 1;
    client.member = std::to_string(index);
    GroupOptions options;
    options.store = rendezvous::Client::connect(client, clock::in(20s)).value();
    options.rank = options.world_rank = index;
    options.size = size;
    options.backend = backend;
    group = form_group(options, clock::in(20s)).value();
    store = test::make_store(kParams, {}, {index, size}, [](const std::string&) {
      return params::Residency{false, false};
    });
    exchange = std::make_unique<UnitExchange>(*store, SharingRanks{*group}, walk, 20s);
  }
  std::unique_ptr<Communicator> group;
  std::unique_ptr<params::ParamStore> store;
  std::unique_ptr<UnitExchange> exchange;
};

struct RunOptions {
  std::function<std::vector<Visit>(int)> walk_of = [](int) { return there_and_back(); };
  std::string backend = "auto";
};

void run(int size, const std::function<void(int, Rank&)>& body, const RunOptions& options = {}) {
  ::signal(SIGPIPE, SIG_IGN);  // as in the program: Gloo needs it
  const auto server = rendezvous::Server::start({}).value();
  std::vector<std::thread> threads;
  for (int index = 0; index < size; ++index) {
    threads.emplace_back([&, index] {
      Rank rank(index, size, *server, options.walk_of(index), options.backend);
      body(index, rank);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

const char* const kNames[] = {"a", "b", "c", "d"};

// What the rank's own part came to, as whole tensors with zeros elsewhere.
at::Tensor part_of_gradient(const params::ParamStore& store, const std::string& name) {
  const params::StoredParam& param = *store.find(name);
  const params::Segment& segment = store.segments()[param.segment];
  const at::Tensor whole_P = at::zeros({segment.values_P.numel()});
  whole_P.narrow(0, segment.part.begin, segment.part.size()).copy_(segment.gradients_S);
  return whole_P.narrow(0, param.offset, param.info.numel());
}

class UnitExchangeOver : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Backends, UnitExchangeOver, testing::Values("shared-memory", "gloo"));

TEST_P(UnitExchangeOver, BringsWholeValuesAndSumsGradientsIntoParts) {
  const auto reference = test::make_store(kParams);
  std::vector<std::vector<at::Tensor>> parts(3);
  const auto body = [&](int index, Rank& rank) {
    const auto value = [&](const char* name) { return test::value(*rank.store, name); };
    const Status walked = rank.exchange->walk([&] {
      for (const std::string& unit : kUnits) {
        rank.exchange->before_forward(unit);
        for (const char* name : kNames) {
          if (rank.store->find(name)->info.unit != unit) continue;
          EXPECT_TRUE(at::equal(value(name), test::value(*reference, name))) << name;
        }
        rank.exchange->after_forward(unit);
      }
      EXPECT_THROW(value("a").sum(), c10::Error);  // not in memory between its visits
      for (auto unit = kUnits.rbegin(); unit != kUnits.rend(); ++unit) {
        rank.exchange->before_backward(*unit);
        for (const char* name : kNames) {
          if (rank.store->find(name)->info.unit != *unit) continue;
          EXPECT_TRUE(at::equal(value(name), test::value(*reference, name))) << name;
          test::gradient(*rank.store, name).add_(static_cast<double>(index) + 1);
        }
        if (*unit != "first") rank.exchange->after_backward(*unit);  // the last one's end is not told
      }
    });
    EXPECT_TRUE(walked) << walked.error().text();
    for (const char* name : kNames)
      parts[static_cast<size_t>(index)].push_back(part_of_gradient(*rank.store, name));
  };
  run(3, body, {.backend = GetParam()});
  for (size_t p = 0; p < 4; ++p) {
    const at::Tensor sum = parts[0][p] + parts[1][p] + parts[2][p];  // each element belongs to one rank
    EXPECT_TRUE(at::equal(sum, at::full_like(sum, 6))) << kNames[p];
  }
}

TEST(UnitExchange, CompletesWhatARankLeavesOut) {
  std::vector<at::Tensor> parts(2);
  run(2, [&](int index, Rank& rank) {
    const Status walked = rank.exchange->walk([&] {
      if (index == 1) return;
      rank.exchange->before_forward("second");
      rank.exchange->after_forward("second");
      rank.exchange->before_backward("second");
      test::gradient(*rank.store, "b").fill_(2);
      rank.exchange->after_backward("second");
    });
    EXPECT_TRUE(walked) << walked.error().text();
    EXPECT_EQ(part_of_gradient(*rank.store, "d").abs().max().item<float>(), 0);
    parts[static_cast<size_t>(index)] = part_of_gradient(*rank.store, "b");
  });
  EXPECT_TRUE(at::equal(parts[0] + parts[1], at::full({630}, 2.0f)));
}

// Two passes of a step: the second adds to the first's sums; a rank without a second batch brings nothing.
// The next step's first pass replaces them.
TEST_P(UnitExchangeOver, AddsPassesUpInParts) {
  const auto pass = [](Rank& rank, float gradient) {
    return [&rank, gradient] {
      for (auto unit = kUnits.rbegin(); unit != kUnits.rend(); ++unit) {
        rank.exchange->before_backward(*unit);
        for (const char* name : kNames)
          if (rank.store->find(name)->info.unit == *unit) test::gradient(*rank.store, name).add_(gradient);
        rank.exchange->after_backward(*unit);
      }
    };
  };
  std::vector<std::vector<at::Tensor>> parts(2), next_step(2);
  const auto body = [&](int index, Rank& rank) {
    EXPECT_TRUE(rank.exchange->walk(pass(rank, 1)));
    EXPECT_TRUE(index == 0 ? rank.exchange->walk(pass(rank, 10), /*adds=*/true)
                           : rank.exchange->walk([] {}, /*adds=*/true));
    for (const char* name : kNames)
      parts[static_cast<size_t>(index)].push_back(part_of_gradient(*rank.store, name).clone());
    EXPECT_TRUE(rank.exchange->walk(pass(rank, 3)));
    for (const char* name : kNames)
      next_step[static_cast<size_t>(index)].push_back(part_of_gradient(*rank.store, name));
  };
  run(2, body, {.backend = GetParam()});
  for (size_t p = 0; p < 4; ++p) {
    const at::Tensor sum = parts[0][p] + parts[1][p], next = next_step[0][p] + next_step[1][p];
    EXPECT_TRUE(at::equal(sum, at::full_like(sum, 1 + 1 + 10))) << kNames[p];
    EXPECT_TRUE(at::equal(next, at::full_like(next, 3 + 3))) << kNames[p];
  }
}

// Of six visits' values the two in the middle are still there.
TEST(UnitExchange, GathersNoMoreThanThePlanSays) {
  run(2, [&](int, Rank& rank) {
    ASSERT_TRUE(rank.exchange->walk([] {}));
    int64_t gathered = 0;
    for (const PlannedVisit& visit : plan_walk(there_and_back(), std::vector<Shared>(6, {true, true}))) {
      if (!visit.gathers) continue;
      for (const params::Segment& segment : rank.store->segments())
        if (segment.unit == visit.visit.unit) gathered += segment.part.size();
    }
    const int64_t compared = 1;  // the plans' digests
    EXPECT_EQ(rank.group->traffic().of(Collective::AllGather).elements_sent, gathered + compared);
  });
}

TEST(UnitExchange, RefusesARankWithAnotherPlan) {
  const auto walk_of = [](int rank) {
    std::vector<Visit> walk = there_and_back();
    if (rank == 1) std::swap(walk[0], walk[1]);
    return walk;
  };
  const auto body = [](int, Rank& rank) {
    const Status walked = rank.exchange->walk([] {});
    ASSERT_FALSE(walked);
    EXPECT_EQ(walked.error().code, ErrorCode::Internal);
    EXPECT_NE(walked.error().text().find("rank 1 plans other exchanges than rank 0"), std::string::npos);
  };
  run(2, body, {.walk_of = walk_of});
}

TEST(UnitExchange, ThrowsForAUnitOutOfOrder) {
  run(1, [](int, Rank& rank) {
    EXPECT_THROW((void)rank.exchange->walk([&] {
      rank.exchange->before_forward("second");
      rank.exchange->after_forward("second");
      rank.exchange->before_forward("first");
    }),
                 tensor::ContractError);
  });
}

TEST(UnitExchange, LetsTheFirstRankWorkInAnyOrder) {
  const auto reference = test::make_store(kParams);
  run(2, [&](int index, Rank& rank) {
    int visits = 0;
    const Status done = rank.exchange->lead([&]() -> Status {
      for (const char* unit : {"third", "first", "first", "second", "third"}) {
        rank.exchange->before_forward(unit);
        for (const char* name : kNames) {
          if (rank.store->find(name)->info.unit != unit) continue;
          EXPECT_TRUE(at::equal(test::value(*rank.store, name), test::value(*reference, name))) << name;
        }
        rank.exchange->after_forward(unit);
        ++visits;
      }
      return fail(ErrorCode::Numeric, "as the work says");
    });
    EXPECT_EQ(visits, index == 0 ? 5 : 0);
    EXPECT_EQ(done.has_value(), index != 0);
    if (!done) {
      EXPECT_EQ(done.error().code, ErrorCode::Numeric);
    }
  });
}

TEST(UnitExchange, SaysWhenARankIsLost) {
  run(2, [](int index, Rank& rank) {
    if (index == 1) return;  // its group goes
    const Status walked = rank.exchange->walk([&] { rank.exchange->before_forward("first"); });
    ASSERT_FALSE(walked);
    EXPECT_EQ(walked.error().code, ErrorCode::PeerLost);
  });
}

}  // namespace
}  // namespace zt::dist
