// SPDX-License-Identifier: Apache-2.0
// Exponential moving average of all trainable parameters: ema += (1 - decay) (value - ema) after every
// optimizer step. Generation, validation and export use it through an EmaScope.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/error.hpp"
#include "params/state.hpp"

namespace zt::params {
class ParamStore;
}

namespace zt::optim {

struct EmaOptions {
  double decay = 0.999;
  /// Start with small decays, min(decay, (1 + n) / (10 + n)) after n updates, so that the start values are
  /// soon forgotten.
  bool warmup = true;
  bool is_offloaded = false;  ///< averages are in host memory, wherever the parameters are
};

/// The decay of update number `num_updates` (counted from 0).
double ema_decay(const EmaOptions& options, int64_t num_updates);

/// Holds the averages of the store's part of each trainable segment; they start as a copy of the values. The
/// store must outlive it.
class Ema {
 public:
  Ema(params::ParamStore& store, const EmaOptions& options);
  Ema(const Ema&) = delete;
  Ema& operator=(const Ema&) = delete;

  /// Moves every average towards the present value. AdamW::step does this in its own pass when given the Ema;
  /// call it only where no optimizer does.
  void update();
  int64_t num_updates() const { return num_updates_; }

  /// Starts over from the present values (after loading weights).
  void reset();

  /// Tensors "ema/<parameter>", scalar "ema.num_updates".
  void visit_state(const params::StateVisitor& visitor) const;
  std::vector<params::StateScalar> scalars() const;
  /// Errors: Corrupt if a scalar of this object is missing or negative; others are ignored.
  Status set_scalars(const std::vector<params::StateScalar>& scalars);

 private:
  friend class AdamW;
  friend class EmaScope;
  /// Counts an update and returns its weight, 1 - decay.
  float begin_update();
  void move(size_t segment, float weight);
  void swap();
  params::ParamStore& store_;
  EmaOptions options_;
  int64_t num_updates_ = 0;
  std::vector<at::Tensor> averages_;  ///< of the part, fp32, by segment; undefined for frozen ones
  std::vector<at::Tensor> hidden_;    ///< values of bf16 segments while their averages stand in for them
};

/// Exchanges values and averages while it lives; the exchange back is exact. Train no step inside.
class EmaScope {
 public:
  /// `ema` may be null: then nothing happens. Of several ranks each exchanges its part only; `share` is then
  /// called after each exchange and gathers the values of all ranks.
  explicit EmaScope(Ema* ema, std::function<void()> share = {});
  ~EmaScope();
  EmaScope(const EmaScope&) = delete;
  EmaScope& operator=(const EmaScope&) = delete;

 private:
  void swap();
  Ema* ema_;
  std::function<void()> share_;
};

}  // namespace zt::optim
