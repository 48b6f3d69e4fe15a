// SPDX-License-Identifier: Apache-2.0
// Lanes: the equal parts of a step's batch. Each lane runs forward and backward on its own share with
// gradients of its own; the lanes' gradients are then summed by a binary tree over the lane index, so the sum
// does not depend on which thread ran which lane or who finished first. With one thread per lane two cores
// train two half batches side by side, which on narrow networks beats two threads inside every operation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/parallel.hpp"
#include "models/network_set.hpp"
#include "params/param_store.hpp"
#include "train/pass/forward.hpp"

namespace zt::train {

/// How many lanes run at once, and with how many libtorch threads each: as many as there are threads for.
struct LaneThreads {
  int64_t side_by_side = 1;
  int64_t per_lane = 1;
};
LaneThreads divide_threads(int64_t num_lanes, int64_t num_threads);

class LaneGroup {
 public:
  /// Lane 0 uses `networks` and its store itself; the others are bound to the same values. `networks` must
  /// outlive this. `one_by_one`: on the caller's thread only, each with the threads that it would have had
  /// beside others, so that its numbers are the same bits.
  LaneGroup(models::NetworkSet& networks, int64_t num_lanes, int64_t num_threads, bool one_by_one = false);

  size_t size() const { return lanes_.size(); }

  /// The store that takes a lane's gradients and touched flags.
  params::ParamStore& store(size_t lane) { return *lanes_[lane].store; }
  /// Runs body(lane, its networks) for every lane and returns when all are done. The body may throw; the
  /// first lane's exception is thrown again here.
  void run(const std::function<void(size_t, const StepNetworks&)>& body);
  /// Adds all lanes' gradients into lane 0's store and clears the others. A segment that any lane touched is
  /// touched.
  void reduce();

 private:
  struct Lane {
    params::ParamStore* store = nullptr;
    std::unique_ptr<params::ParamStore> own_store;  ///< null for lane 0
    std::unique_ptr<models::ReferenceNet> own_reference_net;
    std::unique_ptr<models::DenoisingUNet> own_denoising_unet;
    std::unique_ptr<models::PoseGuider> own_pose_guider;
    std::unique_ptr<StepNetworks> networks;
  };
  void run_on_threads(const std::function<void(size_t)>& body);
  std::vector<Lane> lanes_;
  LaneThreads threads_;
  bool one_by_one_ = false;
  std::unique_ptr<ThreadPool> pool_;  ///< null when lanes run one after the other on the caller's thread
};

}  // namespace zt::train
