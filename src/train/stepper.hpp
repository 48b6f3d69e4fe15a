// SPDX-License-Identifier: Apache-2.0
// One optimizer step: forward and backward of every lane's micro batches, sum over lanes, clip, update.
// Nothing here reads files or knows what comes next; clocks are read only to time its parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "diffusion/noise_schedule.hpp"
#include "optim/gradient_norm.hpp"
#include "tensor/device_clock.hpp"
#include "train/pass/batch.hpp"
#include "train/pass/forward.hpp"
#include "train/pass/lanes.hpp"
#include "train/ranks/ranks.hpp"
#include "train/ranks/replica_check.hpp"
#include "train/state/model_state.hpp"

namespace zt::train {

/// The micro batches of one step: [lane][accumulation].
using StepBatches = std::vector<std::vector<Batch>>;

/// Squared error of one sample, not weighted, and its noise level.
struct SampleLoss {
  int64_t timestep = 0;
  double mse = 0;
};

struct StepReport {
  double loss = 0;  ///< weighted, mean over all micro batches
  std::vector<SampleLoss> samples;
  optim::GradientNorms norms;  ///< before clipping
  double loss_scale = 1;
  bool is_skipped = false;    ///< a gradient was not finite: nothing was changed
  int64_t num_nonfinite = 0;  ///< elements of the gradients, of all ranks; counted if the step is skipped
  double forward_s = 0;       ///< of this rank's first lane
  double backward_s = 0;      ///< of this rank's first lane
  /// Sum over lanes and ranks, norms, update. On a GPU of the step before (0 for the first): the one of this
  /// step is still under way.
  double optimizer_s = 0;
};

struct StepSettings {
  double max_grad_norm = 0;  ///< 0 = no clipping
  int64_t num_lanes = 1;     ///< of the run, over all ranks
  int64_t num_threads = 1;
  int64_t check_every_steps = 0;                ///< ReplicaCheck's; 0 = never
  int64_t first_step = 0;                       ///< finished steps before the first one here
  std::function<void()> before_update = [] {};  ///< called before weights, moments or averages change
};

class Stepper {
 public:
  /// State, schedule and ranks must outlive the stepper.
  Stepper(ModelState& state, Ranks& ranks, const diffusion::NoiseSchedule& schedule,
          const ForwardRules& rules, const StepSettings& settings);

  /// Requires the batches of this rank's lanes, each with the same number of micro batches. The report is of
  /// all ranks' lanes. Errors: those of Ranks.
  Result<StepReport> step(const StepBatches& batches, double lr);

  const ForwardRules& rules() const { return rules_; }
  /// What the last step's comparison of copies found.
  const std::optional<Corruption>& corruption() const { return check_.found(); }
  /// The state was replaced by that after `step`.
  void went_to(int64_t step) { check_.went_to(step); }

 private:
  struct LaneReport;
  struct Span {
    tensor::DeviceClock::Mark begin, end;
  };
  /// `adds`: where gradients are shared, to those of the lanes before.
  void run_lane(size_t lane, const StepNetworks& nets, const std::vector<Batch>& batches, double factor,
                bool adds, LaneReport& report);
  void run_batch(size_t lane, const StepNetworks& nets, const Batch& batch, double factor,
                 LaneReport& report);
  Status run_lanes(const StepBatches& batches, double factor, std::vector<LaneReport>& reports);
  void touch(params::ParamStore& store, const Batch& batch) const;
  /// What the first lane does, which speaks for those beside it.
  void enter(const params::ParamStore& store, contract::Activity activity) const;
  /// Makes of this rank's lanes and touched segments those of all ranks.
  Status share(std::vector<LaneReport>& lanes);
  Result<optim::GradientNorms> norms(double scale);
  Status update(StepReport& report, double lr);
  /// StepReport::optimizer_s, given this step's.
  double time_of_update(Span update);
  ModelState& state_;
  Ranks& ranks_;
  const diffusion::NoiseSchedule& schedule_;
  ForwardRules rules_;
  StepSettings settings_;
  at::Device device_;
  tensor::DeviceClock clock_;
  Span last_update_;
  LaneGroup lanes_;  ///< one where gradients are shared, which then works on all of this rank's lanes
  ReplicaCheck check_;
};

}  // namespace zt::train
