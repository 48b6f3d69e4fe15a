// SPDX-License-Identifier: Apache-2.0
// The GPU backend. NCCL refuses two ranks on one GPU, so one GPU runs a group of one through it.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "dist/backends/backends.hpp"
#include "dist/communicator.hpp"
#include "dist/group.hpp"
#include "rendezvous/server.hpp"
#include "tensor/device.hpp"

namespace zt::dist {
namespace {

clock::Deadline soon() { return clock::in(std::chrono::seconds(20)); }

/// A store and its clients, members 0 and 1 of a run.
struct Store {
  std::unique_ptr<rendezvous::Server> server = std::move(*rendezvous::Server::start({}));
  std::shared_ptr<rendezvous::Client> client(const std::string& member) const {
    rendezvous::ClientOptions options;
    options.host = "127.0.0.1";
    options.port = server->port();
    options.member = member;
    options.generation = 1;
    return rendezvous::Client::connect(options, soon()).value();
  }
};

class OnGpu : public testing::Test {
 protected:
  void SetUp() override {
    const auto opened = tensor::open_device("cuda");
    if (!opened) GTEST_SKIP() << opened.error().text();
    Meeting meeting{store_.client("0"), "group/gpus/", 0,       {{0, "here"}},
                    {"here"},           "127.0.0.1",   *opened, soon()};
    auto backend = make_nccl(meeting);
    ASSERT_TRUE(backend) << backend.error().text();
    group_ =
        std::make_unique<Communicator>(GroupIdentity{"gpus", 1, 0, meeting.members}, std::move(*backend));
  }
  static at::Tensor numbers(int64_t count) {
    return at::arange(count, at::TensorOptions(at::kFloat).device(at::kCUDA));
  }

  Store store_;
  std::unique_ptr<Communicator> group_;
};

TEST_F(OnGpu, EveryOperationOfOneRankKeepsItsNumbers) {
  EXPECT_EQ(group_->backend(), "nccl");
  const at::Tensor mine = numbers(1 << 20), all = at::zeros_like(mine), sum = at::zeros_like(mine);
  ASSERT_TRUE(group_->all_gather_into(all, mine, "values").wait(soon()));
  EXPECT_TRUE(at::equal(all, mine));
  ASSERT_TRUE(group_->reduce_scatter_into(sum, mine, "gradients").wait(soon()));
  EXPECT_TRUE(at::equal(sum, mine));
  const at::Tensor reduced = mine.clone();
  ASSERT_TRUE(group_->all_reduce(reduced, Reduction::Sum, "sum").wait(soon()));
  EXPECT_TRUE(at::equal(reduced, mine));
  ASSERT_TRUE(group_->broadcast(reduced, 0, "start").wait(soon()));
  ASSERT_TRUE(group_->barrier("end").wait(soon()));
}

TEST_F(OnGpu, AnOperationTakesWhatTheCallersStreamWritesBefore) {
  const at::Tensor mine = numbers(1 << 22), all = at::zeros_like(mine);
  for (int i = 0; i < 100; ++i) mine.add_(1);  // still under way when the operation starts
  ASSERT_TRUE(group_->all_gather_into(all, mine, "values").wait(soon()));
  EXPECT_TRUE(at::equal(all, numbers(1 << 22) + 100));
}

TEST_F(OnGpu, ALostRankOfTheRunEndsTheGroup) {
  const auto other = store_.client("1");
  ASSERT_TRUE(other->compare_and_set(rendezvous::kFirstLostKey, "", "1"));
  const at::Tensor mine = numbers(16);
  Status status;
  for (const clock::Deadline until = soon(); status && clock::left(until).count() > 0;)
    status = group_->all_gather_into(at::empty_like(mine), mine, "values").wait(soon());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::PeerLost) << status.error().text();
}

TEST_F(OnGpu, AfterAbortEveryWaitIsCancelled) {
  group_->abort();
  const at::Tensor mine = numbers(16);
  const Status status = group_->all_gather_into(at::empty_like(mine), mine, "values").wait(soon());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::Cancelled) << status.error().text();
}

TEST(WithoutNccl, AGroupOfGpusSaysWhatIsMissingOnEveryRank) {
  if (tensor::open_device("cuda")) GTEST_SKIP() << "this machine has a GPU";
  const Store store;
  GroupOptions options;
  options.store = store.client("0");
  options.size = 2;
  options.device = at::Device(at::kCUDA, 0);
  const auto other = store.client("1");
  // What the second rank of a host without NCCL tells the first.
  ASSERT_TRUE(other->set("group/world/member/1", "1\nthere\nthere"));
  ASSERT_TRUE(other->set("group/world/nccl/1", "no such library"));
  const auto group = form_group(options, soon());
  ASSERT_FALSE(group);
  EXPECT_EQ(group.error().code, ErrorCode::Unsupported) << group.error().text();
  EXPECT_NE(group.error().text().find("scripts/setup --cuda"), std::string::npos) << group.error().text();
}

}  // namespace
}  // namespace zt::dist
