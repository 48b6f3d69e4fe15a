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
#include <optional>
#include <vector>

#include "base/parallel.hpp"
#include "models/network_set.hpp"
#include "params/compute_copy.hpp"
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
  struct Options {
    int64_t num_lanes = 1;
    int64_t num_threads = 1;
    /// On the caller's thread only, each with the threads that it would have had beside others, so that its
    /// numbers are the same bits.
    bool one_by_one = false;
    /// Work on copies of the weights in this type (params/compute_copy.hpp); wants one_by_one.
    std::optional<at::ScalarType> compute_dtype = {};
  };
  /// Lane 0 uses `networks` and its store itself; the others are bound to the same values. `networks` must
  /// outlive this.
  LaneGroup(models::NetworkSet& networks, const Options& options);

  size_t size() const { return lanes_.size(); }

  /// The store that takes a lane's gradients and touched flags.
  params::ParamStore& store(size_t lane) { return *lanes_[lane].store; }
  /// Runs body(lane, its networks) for every lane, on the weights as they are now, and returns when all are
  /// done. The body may throw; the first lane's exception is thrown again here.
  void run(const std::function<void(size_t, const StepNetworks&)>& body);
  /// Brings a lane's gradients from the copies to its store; after each backward pass, before touch().
  void collect(size_t lane);
  /// Adds all lanes' gradients into lane 0's store, by the tree of params::left_lanes(), and clears the
  /// others. A segment that any lane touched is touched.
  void reduce();

 private:
  /// Those of lanes [begin, end) into lane `begin`'s.
  void add_up(int64_t begin, int64_t end);
  /// Networks like given ones over other values or gradients.
  struct OwnNetworks {
    /// `values`: a ParamStore or ComputeCopy.
    template <class Values>
    OwnNetworks(const models::NetworkSet& like, const Values& values);
    models::ReferenceNet reference_net;
    models::DenoisingUNet denoising_unet;
    models::PoseGuider pose_guider;
    StepNetworks step_networks{reference_net, denoising_unet, pose_guider};
  };
  struct Lane {
    params::ParamStore* store = nullptr;
    std::unique_ptr<params::ParamStore> own_store;  ///< null for lane 0
    std::unique_ptr<OwnNetworks> own_networks;      ///< null for lane 0, and where there is a copy
    const StepNetworks* networks = nullptr;
  };
  void run_on_threads(const std::function<void(size_t)>& body);
  std::unique_ptr<params::ComputeCopy> copy_;   ///< null: none wanted
  std::unique_ptr<OwnNetworks> copy_networks_;  ///< of all lanes, if there is a copy
  StepNetworks given_networks_;
  std::vector<Lane> lanes_;
  LaneThreads threads_;
  bool one_by_one_ = false;
  std::unique_ptr<ThreadPool> pool_;  ///< null when lanes run one after the other on the caller's thread
};

}  // namespace zt::train
