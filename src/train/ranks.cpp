// SPDX-License-Identifier: Apache-2.0
// See ranks.hpp.
#include "train/ranks.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <string>
#include <utility>

#include "tensor/require.hpp"

namespace zt::train {
namespace {

at::Tensor shard_of(const at::Tensor& flat_P, params::Shard shard) {
  const params::Range part = params::part_of(shard, flat_P.numel());
  return flat_P.narrow(0, part.begin, part.size());
}

/// Savers meet in the launcher's store.
class StoreMeeting : public checkpoint::Meeting {
 public:
  StoreMeeting(std::shared_ptr<rendezvous::Client> store, int rank, int size)
      : store_(std::move(store)), rank_(rank), size_(size) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  Status post(const std::string& key, const std::string& text) override {
    return store_->set(kPrefix + key, text);
  }
  Result<std::vector<std::string>> await(const std::vector<std::string>& keys,
                                         std::chrono::milliseconds limit) override {
    std::vector<std::string> named;
    for (const std::string& key : keys) named.push_back(kPrefix + key);
    return store_->get(named, clock::in(limit));
  }
  void forget(const std::string& key) override { (void)store_->erase(kPrefix + key); }

 private:
  static constexpr const char* kPrefix = "checkpoint/";
  std::shared_ptr<rendezvous::Client> store_;
  int rank_, size_;
};

}  // namespace

Ranks::Ranks(std::unique_ptr<dist::Communicator> group, std::unique_ptr<rendezvous::Client> saves,
             config::ParallelJob job)
    : group_(std::move(group)),
      saves_(std::move(saves)),
      meeting_(std::make_shared<StoreMeeting>(saves_, group_->rank(), group_->size())),
      job_(job) {}

void Ranks::abandon() {
  if (!group_) return;
  group_->abort();
  saves_->abort();
}

params::Shard Ranks::shard() const {
  return job_.zero_stage == 0 ? params::Shard{} : params::Shard{rank(), size()};
}

params::Range Ranks::lanes(int64_t num_lanes) const {
  return {num_lanes * rank() / size(), num_lanes * (rank() + 1) / size()};
}

Status Ranks::wait_all(std::vector<dist::Pending> operations) const {
  const clock::Deadline until = deadline();
  for (dist::Pending& operation : operations) ZT_TRY(operation.wait(until));
  return {};
}

Result<std::vector<std::vector<double>>> Ranks::gather(const std::vector<double>& mine, size_t longest,
                                                       std::string_view what) {
  if (!group_) return std::vector<std::vector<double>>{mine};
  ZT_REQUIRE(mine.size() <= longest, "wanted at most ", longest, " numbers, got ", mine.size());
  const auto width = static_cast<int64_t>(longest) + 1;  // a row: how many, then they
  const at::Tensor all_RW = at::zeros({size(), width}, at::kDouble);
  const at::Tensor own_W = all_RW[rank()];
  auto* row = own_W.data_ptr<double>();
  row[0] = static_cast<double>(mine.size());
  std::copy(mine.begin(), mine.end(), row + 1);
  ZT_TRY(group_->all_gather_into(all_RW.view(-1), own_W, what).wait(deadline()));
  std::vector<std::vector<double>> out;
  for (int64_t r = 0; r < size(); ++r) {
    const auto* numbers = all_RW[r].const_data_ptr<double>();
    out.emplace_back(numbers + 1, numbers + 1 + static_cast<int64_t>(numbers[0]));
  }
  return out;
}

Result<std::vector<double>> Ranks::from_first(std::vector<double> mine, std::string_view what) {
  if (!group_) return mine;
  const at::Tensor view = at::from_blob(mine.data(), {static_cast<int64_t>(mine.size())}, at::kDouble);
  ZT_TRY(group_->broadcast(view, /*root=*/0, what).wait(deadline()));
  return mine;
}

Status Ranks::barrier(std::string_view what) {
  return group_ ? group_->barrier(what).wait(deadline()) : Status();
}

Status Ranks::sum_gradients(params::ParamStore& store) {
  if (!group_) return {};
  std::vector<dist::Pending> started;
  for (const params::Segment& segment : store.segments()) {
    if (!segment.touched) continue;
    const std::string what = segment.unit + " gradients";
    started.push_back(
        job_.zero_stage == 0
            ? group_->all_reduce(segment.gradients_P, dist::Reduction::Sum, what)
            : group_->reduce_scatter_into(shard_of(segment.gradients_P, shard()), segment.gradients_P, what));
  }
  return wait_all(std::move(started));
}

Status Ranks::gather_values(params::ParamStore& store) {
  if (!group_ || job_.zero_stage == 0) return {};
  std::vector<dist::Pending> started;
  for (const params::Segment& segment : store.segments()) {
    if (!segment.placement.trainable) continue;
    started.push_back(group_->all_gather_into(segment.values_P, shard_of(segment.values_P, shard()),
                                              segment.unit + " values"));
  }
  return wait_all(std::move(started));
}

}  // namespace zt::train
