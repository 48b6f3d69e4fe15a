// SPDX-License-Identifier: Apache-2.0
// AdamW (Loshchilov & Hutter 2019) over the flat segments of a ParamStore: one pass that scales the gradient
// (unscale and clip), decays, updates both moments and the parameter, and, where asked, moves the EMA and
// clears the gradient. Segments without gradient this step are left alone: no decay, no moments, no step
// count, as torch.optim.AdamW skips a parameter whose grad is None. Moments are fp32, or 8-bit block-wise as
// bitsandbytes' AdamW8bit keeps them on the CPU. Parameters are fp32, or bf16 with an fp32 master copy of the
// store's part, or bf16 alone with updates rounded at random (Gupta et al. 2015, "Deep Learning with Limited
// Numerical Precision"). The result is the same bits for any number of threads, any segmentation and any
// instruction set, on a GPU, and with the state in host memory while the parameters are on a GPU
// (docs/numerics.md).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "params/state.hpp"

namespace zt::params {
class ParamStore;
struct Segment;
}  // namespace zt::params

namespace zt::optim {

class Ema;
namespace internal {
struct BlockPass;
struct Factors;
class GpuStep;
class HostStaging;
class RestingSums;
}  // namespace internal

/// The value of params::Placement::optimizer_kind.
enum class StateKind : int { Float32 = 0, Blockwise8Bit = 1 };

/// bitsandbytes' rule: parameters with at least 4096 elements.
StateKind state_kind_8bit(int64_t num_elements);

/// What keeps updates that are smaller than a step of bf16.
enum class Bf16Weights { Master, Stochastic };

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 1e-2;  ///< for segments with Placement::decay_group 0; others do not decay
  Bf16Weights bf16_weights = Bf16Weights::Master;  ///< of segments in bf16
  /// Keeps the state in host memory and steps there, wherever the parameters are: gradients come and values
  /// go in pieces (internal/host_staging.hpp).
  bool is_offloaded = false;
  int64_t piece_elements = int64_t{1} << 21;  ///< longest of these, a multiple of 256
};

struct AdamWStep {
  double lr = 0;
  double gradient_scale = 1;  ///< clip coefficient / loss scale
  /// Moved in the same pass; untouched segments too. Of offloaded state: offloaded too.
  Ema* ema = nullptr;
  bool clear_gradients = false;  ///< also zeroes the gradients (all of them) and the touched flags
};

class AdamW {
 public:
  /// Allocates the state of the store's part of each segment: moments of zero, masters from the present
  /// values; only that part is stepped. Requires fp32 or bf16 trainable segments (throws ContractError).
  /// `store` must outlive it.
  AdamW(params::ParamStore& store, const AdamWOptions& options);
  ~AdamW();
  AdamW(const AdamW&) = delete;
  AdamW& operator=(const AdamW&) = delete;

  /// Requires finite gradients: ask gradient_norms() first, and skip the step otherwise.
  /// Threads: at::get_num_threads().
  void step(const AdamWStep& options);
  /// What the last step did not find as the step before had left it: "optimizer state of denoising_unet.mid".
  /// Memory that changes by itself, or somebody who writes there without set_scalars(). Of what a step in
  /// host memory reads; of bf16 weights with a master that is the master.
  const std::optional<std::string>& changed_at_rest() const { return changed_at_rest_; }

  /// fp32: "optimizer.exp_avg/<parameter>", "optimizer.exp_avg_sq/<parameter>", of the parameter's shape.
  /// 8-bit: codes "optimizer.exp_avg_code/<parameter>" and "..._sq_code/..." (uint8, its shape) and, per 256
  /// elements, one fp32 in "optimizer.exp_avg_absmax/<parameter>" and "..._sq_absmax/...". A shard visits its
  /// pieces.
  void visit_state(const params::StateVisitor& visitor) const;
  /// "optimizer.step/<gradient group>": steps that reached the group.
  std::vector<params::StateScalar> scalars() const;
  /// Ends a restore: the state may have been written to.
  /// Errors: Corrupt if a group's counter is missing or negative; scalars of others are ignored.
  Status set_scalars(const std::vector<params::StateScalar>& scalars);

  /// The fp32 values of a bf16 segment's part; undefined if there are none. They are the parameters' state
  /// that a checkpoint stores; whoever writes them calls round_masters() afterwards.
  const at::Tensor& master(size_t segment) const { return moments_[segment].master; }
  /// The store's part becomes what the masters round to.
  void round_masters();

  /// Bytes of state.
  int64_t num_bytes() const;

 private:
  /// Of the segment's part.
  struct Moments {
    at::Tensor first, second;                ///< fp32, or uint8 codes
    at::Tensor first_absmax, second_absmax;  ///< 8-bit only
    at::Tensor last_in_block;                ///< 8-bit on a GPU only: a block's elements less one
    at::Tensor master;                       ///< bf16 segments only
    /// Of elements in host memory.
    Moments of_run(params::Range run) const;
  };
  /// What the pass in host memory goes over: a segment's part, or a run of it.
  struct HostPart {
    const params::Segment& segment;
    Moments moments;
    at::Tensor average;  ///< undefined: no EMA
  };
  void begin_sums();
  void end_sums(bool has_averages);
  /// Steps one touched segment.
  void update(size_t segment, const AdamWStep& step, float ema_weight);
  /// Steps all of them.
  void update_offloaded(const AdamWStep& step, float ema_weight);
  void update_on_host(size_t segment, const HostPart& part, const AdamWStep& step, float ema_weight);
  void update_8bit(const HostPart& part, const internal::Factors& factors, const internal::BlockPass& pass,
                   internal::RestingSums& sums);
  void update_on_gpu(size_t segment, const AdamWStep& step, float ema_weight);
  params::ParamStore& store_;
  AdamWOptions options_;
  std::vector<Moments> moments_;                              ///< by segment; undefined for frozen ones
  std::map<std::string, int64_t> steps_;                      ///< by gradient group
  std::vector<std::unique_ptr<internal::RestingSums>> sums_;  ///< by segment; null for frozen ones, on a GPU
  std::optional<std::string> changed_at_rest_;
  std::unique_ptr<const internal::GpuStep> gpu_;    ///< null: the state is in host memory
  std::unique_ptr<internal::HostStaging> staging_;  ///< null: the state is where the parameters are
};

}  // namespace zt::optim
