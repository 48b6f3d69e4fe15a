// SPDX-License-Identifier: Apache-2.0
// See ema.hpp.
#include "optim/ema.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

#include "optim/internal/adamw_kernels.hpp"
#include "params/param_store.hpp"
#include "tensor/parallel.hpp"
#include "tensor/require.hpp"

namespace zt::optim {
namespace {

constexpr const char* kUpdates = "ema.num_updates";
constexpr int64_t kGrainElements = 64 * internal::kBlock;

}  // namespace

double ema_decay(const EmaOptions& options, int64_t num_updates) {
  if (!options.warmup) return options.decay;
  const auto n = static_cast<double>(num_updates);
  return std::min(options.decay, (1 + n) / (10 + n));
}

Ema::Ema(params::ParamStore& store, const EmaOptions& options) : store_(store), options_(options) { reset(); }

void Ema::reset() {
  averages_.clear();
  for (const params::Segment& segment : store_.segments()) {
    const at::Tensor& values = segment.values_S;
    const at::Device home = options_.is_offloaded ? at::kCPU : values.device();
    averages_.push_back(segment.placement.trainable
                            ? values.to(home, at::kFloat, /*non_blocking=*/false, /*copy=*/true)
                            : at::Tensor());
  }
  hidden_.assign(averages_.size(), {});
  num_updates_ = 0;
}

float Ema::begin_update() { return static_cast<float>(1 - ema_decay(options_, num_updates_++)); }

void Ema::move(size_t s, float weight) {
  if (!averages_[s].defined()) return;
  const at::Tensor present = store_.segments()[s].values_S.to(averages_[s].device());
  if (!present.device().is_cpu() || present.scalar_type() != at::kFloat) {
    // move_average()'s roundings: a lerp would fuse two of them.
    averages_[s].add_(present.to(at::kFloat).sub(averages_[s]).mul_(weight));
    return;
  }
  const float* value = present.const_data_ptr<float>();
  float* average = averages_[s].data_ptr<float>();
  tensor::parallel_for(0, averages_[s].numel(), kGrainElements, [&](int64_t begin, int64_t end) {
    internal::Tally unused;
    internal::move_average(weight, end - begin, value + begin, average + begin, unused);
  });
}

void Ema::update() {
  const float weight = begin_update();
  for (size_t s = 0; s < averages_.size(); ++s) move(s, weight);
}

void Ema::swap() {
  for (size_t s = 0; s < averages_.size(); ++s) {
    if (!averages_[s].defined()) continue;
    // Elements, not handles: the layers hold views of the store's memory.
    const at::Tensor& present = store_.segments()[s].values_S;
    const at::Tensor before = present.to(averages_[s].device(), present.scalar_type(),
                                         /*non_blocking=*/false, /*copy=*/true);
    if (present.scalar_type() != at::kFloat) {  // an average would not survive in it
      present.copy_(hidden_[s].defined() ? hidden_[s] : averages_[s]);
      hidden_[s] = hidden_[s].defined() ? at::Tensor() : before;
      continue;
    }
    present.copy_(averages_[s]);
    averages_[s].copy_(before);
  }
}

void Ema::visit_state(const params::StateVisitor& visitor) const {
  for (const params::StoredParam& param : store_.params()) {
    const at::Tensor& flat = averages_[param.segment];
    if (!flat.defined()) continue;
    params::visit_held(visitor, "ema/" + param.info.name, flat, store_.segments()[param.segment].part,
                       param.place(), param.info.shape);
  }
}

std::vector<params::StateScalar> Ema::scalars() const { return {{kUpdates, num_updates_}}; }

Status Ema::set_scalars(const std::vector<params::StateScalar>& scalars) {
  ZT_TRY_ASSIGN(num_updates_, params::find_count(scalars, kUpdates));
  return {};
}

EmaScope::EmaScope(Ema* ema, std::function<void()> share) : ema_(ema), share_(std::move(share)) { swap(); }

EmaScope::~EmaScope() { swap(); }

void EmaScope::swap() {
  if (!ema_) return;
  ema_->swap();
  if (share_) share_();
}

}  // namespace zt::optim
