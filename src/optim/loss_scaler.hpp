// SPDX-License-Identifier: Apache-2.0
// Dynamic loss scale for fp16: multiply the loss by scale(), divide gradients by it, skip the optimizer step
// when a gradient is not finite. Rules and defaults of torch.amp.GradScaler, with a floor: the scale never
// falls below `least_scale`. The first scale is 2^16 as there, not DeepSpeed's 2^32, which costs 16 skipped
// steps.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.hpp"
#include "params/state.hpp"

namespace zt::optim {

class LossScaler {
 public:
  struct Options {
    double first_scale = 65536;
    double growth = 2;
    double backoff = 0.5;
    int64_t growth_interval = 2000;  ///< finite steps in a row before the scale grows
    double least_scale = 1.0 / 65536;
  };
  LossScaler() : LossScaler(Options{}) {}
  explicit LossScaler(const Options& options);

  double scale() const { return scale_; }
  /// Call once per step. Returns whether the optimizer may step.
  bool update(bool gradients_are_finite);

  /// Scalars "scaler.scale", "scaler.good_steps".
  std::vector<params::StateScalar> scalars() const;
  /// Errors: Corrupt if one is missing or out of range; others are ignored.
  Status set_scalars(const std::vector<params::StateScalar>& scalars);

 private:
  Options options_;
  double scale_;
  int64_t good_steps_ = 0;
};

}  // namespace zt::optim
