// SPDX-License-Identifier: Apache-2.0
// See schedule_check.hpp.
#include "train/ranks/schedule_check.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/hash.hpp"

namespace zt::train {
namespace {

/// What each digest is of.
constexpr std::array<std::string_view, ScheduleCheck::kNumFacts> kFacts = {
    "the names, order or sizes of the networks' weights", "the types that weights are kept in",
    "what ranks share of which weights", "the lanes or micro batches of a step",
    "the clips of the data set (can a host read less of it than another?)"};

Status compare_rows(const at::Tensor& all_RF) {
  for (int64_t rank = 1; rank < all_RF.size(0); ++rank) {
    for (size_t fact = 0; fact < kFacts.size(); ++fact) {
      const auto place = static_cast<int64_t>(fact);
      if (all_RF[rank][place].item<int64_t>() == all_RF[0][place].item<int64_t>()) continue;
      return fail(
          ErrorCode::Internal,
          fmt::format("rank {} and rank 0 differ in {}: their exchanges would not fit together; start "
                      "all ranks with the same build of zoetrope-worker and the same run folder",
                      rank, kFacts[fact]));
    }
  }
  return {};
}

Status exchange(const std::array<uint64_t, ScheduleCheck::kNumFacts>& mine, dist::Communicator& world,
                clock::Deadline deadline) {
  const at::Tensor all_RF = at::zeros({world.size(), static_cast<int64_t>(mine.size())}, at::kLong);
  const at::Tensor mine_F = all_RF[world.rank()];
  for (size_t fact = 0; fact < mine.size(); ++fact)
    mine_F[static_cast<int64_t>(fact)] = static_cast<int64_t>(mine[fact]);
  ZT_TRY(world.all_gather_into(all_RF.view(-1), mine_F, "what ranks will exchange").wait(deadline));
  return compare_rows(all_RF);
}

}  // namespace

ScheduleCheck::ScheduleCheck(const params::ParamStore& store, StepShape step) {
  std::string weights, types, sharing;
  for (const params::Segment& segment : store.segments()) {
    weights += fmt::format("{} {} {} {}\n", segment.unit, segment.group, segment.values_P.numel(),
                           segment.placement.trainable);
    types += fmt::format("{}\n", at::toString(segment.placement.dtype));
    sharing += fmt::format("{} {} {}\n", segment.shard.count, segment.keeps_values, segment.keeps_gradients);
  }
  const std::string passes = fmt::format("{} {}", step.lanes, step.micro_batches);
  digests_ = {hash::xxh64(weights), hash::xxh64(types), hash::xxh64(sharing), hash::xxh64(passes),
              static_cast<uint64_t>(step.data_set)};
}

Status ScheduleCheck::compare(dist::Communicator& world, clock::Deadline deadline) {
  const std::lock_guard lock(mutex_);
  if (!compared_) compared_ = exchange(digests_, world, deadline);
  return *compared_;
}

}  // namespace zt::train
