// SPDX-License-Identifier: Apache-2.0
// See lanes.hpp.
#include "train/pass/lanes.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <exception>
#include <latch>

#include "tensor/parallel.hpp"
#include "tensor/require.hpp"

namespace zt::train {

LaneThreads divide_threads(int64_t num_lanes, int64_t num_threads) {
  const int64_t side_by_side = std::clamp<int64_t>(num_threads, 1, std::max<int64_t>(1, num_lanes));
  return {side_by_side, std::max<int64_t>(1, num_threads / side_by_side)};
}

LaneGroup::LaneGroup(models::NetworkSet& networks, int64_t num_lanes, int64_t num_threads, bool one_by_one)
    : lanes_(static_cast<size_t>(num_lanes)),
      threads_(divide_threads(num_lanes, num_threads)),
      one_by_one_(one_by_one) {
  ZT_REQUIRE(num_lanes >= 1, "wanted at least one lane, got ", num_lanes);
  lanes_[0].store = networks.store.get();
  lanes_[0].networks = std::make_unique<StepNetworks>(
      StepNetworks{*networks.reference_net, *networks.denoising_unet, *networks.pose_guider});
  for (size_t i = 1; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    lane.own_store = networks.store->with_own_gradients();
    lane.store = lane.own_store.get();
    lane.own_reference_net = std::make_unique<models::ReferenceNet>(
        networks.reference_net->config(), lane.store->source(models::kReferenceUNet));
    lane.own_denoising_unet = std::make_unique<models::DenoisingUNet>(
        networks.denoising_unet->config(), lane.store->source(models::kDenoisingUNet));
    lane.own_pose_guider = std::make_unique<models::PoseGuider>(networks.pose_guider->config(),
                                                                lane.store->source(models::kPoseGuider));
    lane.networks = std::make_unique<StepNetworks>(
        StepNetworks{*lane.own_reference_net, *lane.own_denoising_unet, *lane.own_pose_guider});
  }
  if (!one_by_one_ && threads_.side_by_side > 1)
    pool_ = std::make_unique<ThreadPool>(static_cast<size_t>(threads_.side_by_side - 1));
}

void LaneGroup::run(const std::function<void(size_t, const StepNetworks&)>& body) {
  const auto run_lane = [&](size_t lane) { body(lane, *lanes_[lane].networks); };
  if (pool_) return run_on_threads(run_lane);
  const tensor::ThreadCount threads(one_by_one_ ? threads_.per_lane : at::get_num_threads());
  for (size_t lane = 0; lane < lanes_.size(); ++lane) run_lane(lane);
}

void LaneGroup::run_on_threads(const std::function<void(size_t)>& body) {
  std::vector<std::exception_ptr> thrown(lanes_.size());
  const auto run_share = [&](size_t first) {
    tensor::set_num_threads(threads_.per_lane);
    for (size_t lane = first; lane < lanes_.size(); lane += static_cast<size_t>(threads_.side_by_side)) {
      try {
        body(lane);
      } catch (...) {  // thread border: thrown again on the caller's thread below
        thrown[lane] = std::current_exception();
      }
    }
  };
  const tensor::ThreadCount callers_threads(at::get_num_threads());
  std::latch done(threads_.side_by_side - 1);
  for (size_t first = 1; first < static_cast<size_t>(threads_.side_by_side); ++first) {
    pool_->submit([&, first] {
      run_share(first);
      done.count_down();
    });
  }
  run_share(0);
  done.wait();
  for (const std::exception_ptr& exception : thrown) {
    if (exception) std::rethrow_exception(exception);
  }
}

void LaneGroup::reduce() {
  const at::NoGradGuard no_grad;
  for (size_t stride = 1; stride < lanes_.size(); stride *= 2) {
    for (size_t left = 0; left + stride < lanes_.size(); left += 2 * stride) {
      const std::span<params::Segment> into = lanes_[left].store->segments();
      const std::span<params::Segment> from = lanes_[left + stride].store->segments();
      for (size_t s = 0; s < into.size(); ++s) {
        if (!from[s].touched) continue;
        into[s].gradients_P.add_(from[s].gradients_P);
        into[s].touched = true;
      }
    }
  }
  for (size_t lane = 1; lane < lanes_.size(); ++lane) lanes_[lane].store->zero_gradients();
}

}  // namespace zt::train
