// SPDX-License-Identifier: Apache-2.0
// See lanes.hpp.
#include "train/pass/lanes.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <latch>

#include "params/left_half.hpp"
#include "tensor/parallel.hpp"
#include "tensor/require.hpp"

namespace zt::train {

LaneThreads divide_threads(int64_t num_lanes, int64_t num_threads) {
  const int64_t side_by_side = std::clamp<int64_t>(num_threads, 1, std::max<int64_t>(1, num_lanes));
  return {side_by_side, std::max<int64_t>(1, num_threads / side_by_side)};
}

template <class Values>
LaneGroup::OwnNetworks::OwnNetworks(const models::NetworkSet& like, const Values& values)
    : reference_net(like.reference_net->config(), values.source(models::kReferenceUNet)),
      denoising_unet(like.denoising_unet->config(), values.source(models::kDenoisingUNet)),
      pose_guider(like.pose_guider->config(), values.source(models::kPoseGuider)) {}

LaneGroup::LaneGroup(models::NetworkSet& networks, const Options& options)
    : given_networks_{*networks.reference_net, *networks.denoising_unet, *networks.pose_guider},
      lanes_(static_cast<size_t>(options.num_lanes)),
      threads_(divide_threads(options.num_lanes, options.num_threads)),
      one_by_one_(options.one_by_one) {
  ZT_REQUIRE(options.num_lanes >= 1, "wanted at least one lane, got ", options.num_lanes);
  if (options.compute_dtype) {
    ZT_REQUIRE(one_by_one_, "lanes side by side can't leave their gradients at the same copies");
    copy_ = std::make_unique<params::ComputeCopy>(*networks.store, *options.compute_dtype);
    copy_networks_ = std::make_unique<OwnNetworks>(networks, *copy_);
  }
  for (size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    if (i > 0) lane.own_store = networks.store->with_own_gradients();
    lane.store = i > 0 ? lane.own_store.get() : networks.store.get();
    if (copy_) {
      lane.networks = &copy_networks_->step_networks;
    } else if (i == 0) {
      lane.networks = &given_networks_;
    } else {
      lane.own_networks = std::make_unique<OwnNetworks>(networks, *lane.store);
      lane.networks = &lane.own_networks->step_networks;
    }
  }
  if (!one_by_one_ && threads_.side_by_side > 1)
    pool_ = std::make_unique<ThreadPool>(static_cast<size_t>(threads_.side_by_side - 1));
}

void LaneGroup::run(const std::function<void(size_t, const StepNetworks&)>& body) {
  const auto run_lane = [&](size_t lane) { body(lane, *lanes_[lane].networks); };
  if (copy_) copy_->refresh();
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

void LaneGroup::collect(size_t lane) {
  if (copy_) copy_->collect(*lanes_[lane].store);
}

void LaneGroup::reduce() {
  const at::NoGradGuard no_grad;
  add_up(0, std::ssize(lanes_));
  for (size_t lane = 1; lane < lanes_.size(); ++lane) lanes_[lane].store->zero_gradients();
}

void LaneGroup::add_up(int64_t begin, int64_t end) {
  if (end - begin < 2) return;
  const int64_t middle = begin + params::left_lanes(end - begin);
  add_up(begin, middle);
  add_up(middle, end);
  const std::span<params::Segment> into = lanes_[static_cast<size_t>(begin)].store->segments();
  const std::span<params::Segment> from = lanes_[static_cast<size_t>(middle)].store->segments();
  for (size_t s = 0; s < into.size(); ++s) {
    if (!from[s].touched) continue;
    into[s].gradients_P.add_(from[s].gradients_P);
    into[s].touched = true;
  }
}

}  // namespace zt::train
