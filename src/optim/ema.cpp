// SPDX-License-Identifier: Apache-2.0
// See ema.hpp.
#include "optim/ema.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "optim/internal/adamw_kernels.hpp"
#include "optim/internal/scalar_lookup.hpp"
#include "params/param_store.hpp"
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
    const bool trains = segment.placement.trainable;
    ZT_REQUIRE(!trains || segment.values_P.scalar_type() == at::kFloat, segment.unit,
               ": averages are of fp32 parameters, got ", segment.values_P);
    averages_.push_back(trains ? segment.values_P.clone() : at::Tensor());
  }
  num_updates_ = 0;
}

float Ema::begin_update() { return static_cast<float>(1 - ema_decay(options_, num_updates_++)); }

void Ema::move(size_t s, float weight) {
  if (!averages_[s].defined()) return;
  const at::Tensor& values_P = store_.segments()[s].values_P;
  if (!values_P.device().is_cpu()) {
    averages_[s].lerp_(values_P, weight);
    return;
  }
  const float* value = values_P.const_data_ptr<float>();
  float* average = averages_[s].data_ptr<float>();
  at::parallel_for(0, averages_[s].numel(), kGrainElements, [&](int64_t begin, int64_t end) {
    internal::move_average(weight, end - begin, value + begin, average + begin);
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
    const at::Tensor& values_P = store_.segments()[s].values_P;
    const at::Tensor before = values_P.clone();
    values_P.copy_(averages_[s]);
    averages_[s].copy_(before);
  }
}

void Ema::visit_state(const params::StateVisitor& visitor) const {
  for (const params::StoredParam& param : store_.params()) {
    const at::Tensor& flat = averages_[param.segment];
    if (!flat.defined()) continue;
    visitor(
        {"ema/" + param.info.name, flat.narrow(0, param.offset, param.info.numel()).view(param.info.shape)});
  }
}

std::vector<params::StateScalar> Ema::scalars() const { return {{kUpdates, num_updates_}}; }

Status Ema::set_scalars(const std::vector<params::StateScalar>& scalars) {
  ZT_TRY_ASSIGN(num_updates_, internal::find_count(scalars, kUpdates));
  return {};
}

EmaScope::EmaScope(Ema* ema) : ema_(ema) {
  if (ema_) ema_->swap();
}

EmaScope::~EmaScope() {
  if (ema_) ema_->swap();
}

}  // namespace zt::optim
