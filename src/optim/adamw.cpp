// SPDX-License-Identifier: Apache-2.0
// See adamw.hpp.
#include "optim/adamw.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "optim/ema.hpp"
#include "optim/internal/adamw_kernels.hpp"
#include "optim/internal/device_step.hpp"
#include "optim/internal/scalar_lookup.hpp"
#include "params/param_store.hpp"
#include "tensor/require.hpp"

namespace zt::optim {
namespace {

using internal::kBlock;
using params::Segment;
static_assert(kBlock == params::kBlockElements);

/// Blocks that one thread takes at a time: enough that handing them out costs nothing.
constexpr int64_t kGrainBlocks = 64;

bool is_8bit(const Segment& segment) {
  return segment.placement.optimizer_kind == static_cast<int>(StateKind::Blockwise8Bit);
}

int64_t num_blocks(const params::StoredParam& param) { return (param.info.numel() + kBlock - 1) / kBlock; }

internal::Factors factors(const AdamWOptions& options, const AdamWStep& step, int64_t t, bool decays) {
  internal::Factors f;
  f.gradient_scale = static_cast<float>(step.gradient_scale);
  f.decay = decays ? static_cast<float>(1 - step.lr * options.weight_decay) : 1.0f;
  f.beta1 = static_cast<float>(options.beta1);
  f.one_minus_beta1 = static_cast<float>(1 - options.beta1);
  f.beta2 = static_cast<float>(options.beta2);
  f.one_minus_beta2 = static_cast<float>(1 - options.beta2);
  f.minus_lr = static_cast<float>(-step.lr / (1 - std::pow(options.beta1, static_cast<double>(t))));
  f.correction = static_cast<float>(std::sqrt(1 - std::pow(options.beta2, static_cast<double>(t))));
  f.eps = static_cast<float>(options.eps);
  return f;
}

/// What follows the update of a block while it is in the cache.
struct BlockFinish {
  const float* value;
  float* gradient;
  float* average;  ///< null: no EMA
  float weight;
  bool clear;

  void operator()(int64_t at, int64_t count) const {
    if (average) internal::move_average(weight, count, value + at, average + at);
    if (clear) std::fill_n(gradient + at, count, 0.0f);
  }
};

}  // namespace

StateKind state_kind_8bit(int64_t num_elements) {
  return num_elements >= 4096 ? StateKind::Blockwise8Bit : StateKind::Float32;
}

AdamW::AdamW(params::ParamStore& store, const AdamWOptions& options) : store_(store), options_(options) {
  for (const Segment& segment : store_.segments()) {
    Moments moments;
    if (segment.placement.trainable) {
      ZT_REQUIRE(segment.values_P.scalar_type() == at::kFloat, segment.unit,
                 ": AdamW trains fp32 parameters, got ", segment.values_P);
      const auto options8 = segment.values_P.options().dtype(at::kByte);
      moments.first =
          is_8bit(segment) ? at::zeros(segment.values_P.sizes(), options8) : at::zeros_like(segment.values_P);
      moments.second = at::zeros_like(moments.first);
      if (is_8bit(segment)) {
        moments.first_absmax = at::zeros({segment.values_P.numel() / kBlock}, segment.values_P.options());
        moments.second_absmax = at::zeros_like(moments.first_absmax);
      }
      steps_.emplace(segment.group, 0);
    }
    moments_.push_back(std::move(moments));
  }
}

void AdamW::step(const AdamWStep& step) {
  std::set<std::string> touched;
  for (const Segment& segment : store_.segments()) {
    if (segment.touched) touched.insert(segment.group);
  }
  for (const std::string& group : touched) ++steps_.at(group);
  const float ema_weight = step.ema ? step.ema->begin_update() : 0.0f;

  for (size_t s = 0; s < moments_.size(); ++s) {
    Segment& segment = store_.segments()[s];
    if (!segment.placement.trainable) continue;
    if (segment.touched) {
      update(s, step, ema_weight);
    } else if (step.ema) {
      step.ema->move(s, ema_weight);
    }
    if (step.clear_gradients) segment.touched = false;
  }
}

void AdamW::update(size_t s, const AdamWStep& step, float ema_weight) {
  const Segment& segment = store_.segments()[s];
  const internal::Factors f =
      factors(options_, step, steps_.at(segment.group), segment.placement.decay_group == 0);
  if (!segment.values_P.device().is_cpu()) {
    update_on_device(s, f);
    if (step.ema) step.ema->move(s, ema_weight);
    if (step.clear_gradients) segment.gradients_P.zero_();
    return;
  }
  const BlockFinish finish{segment.values_P.const_data_ptr<float>(), segment.gradients_P.data_ptr<float>(),
                           step.ema ? step.ema->averages_[s].data_ptr<float>() : nullptr, ema_weight,
                           step.clear_gradients};
  float* value = segment.values_P.data_ptr<float>();
  const float* gradient = finish.gradient;
  const Moments& moments = moments_[s];
  if (!is_8bit(segment)) {
    float* first = moments.first.data_ptr<float>();
    float* second = moments.second.data_ptr<float>();
    at::parallel_for(0, segment.values_P.numel() / kBlock, kGrainBlocks, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin * kBlock; at < end * kBlock; at += kBlock) {
        internal::adamw(f, kBlock, value + at, gradient + at, first + at, second + at);
        finish(at, kBlock);
      }
    });
    return;
  }
  uint8_t* first = moments.first.data_ptr<uint8_t>();
  uint8_t* second = moments.second.data_ptr<uint8_t>();
  float* first_absmax = moments.first_absmax.data_ptr<float>();
  float* second_absmax = moments.second_absmax.data_ptr<float>();
  for (const size_t index : segment.params) {
    const params::StoredParam& param = store_.params()[index];
    const int64_t param_end = param.offset + param.info.numel(), first_block = param.offset / kBlock;
    at::parallel_for(0, num_blocks(param), kGrainBlocks, [&](int64_t begin, int64_t end) {
      for (int64_t block = first_block + begin; block < first_block + end; ++block) {
        const int64_t at = block * kBlock, count = std::min(kBlock, param_end - at);
        internal::adamw_8bit(f, count, value + at, gradient + at,
                             {first + at, first_absmax + block, second + at, second_absmax + block});
        finish(at, count);
      }
    });
  }
}

void AdamW::update_on_device(size_t s, const internal::Factors& f) {
  const Segment& segment = store_.segments()[s];
  const Moments& m = moments_[s];
  if (!is_8bit(segment)) {
    internal::adamw_on_device(f, segment.values_P, segment.gradients_P, m.first, m.second);
    return;
  }
  for (const size_t index : segment.params) {
    const params::StoredParam& param = store_.params()[index];
    const auto elements = [&](const at::Tensor& flat) {
      return flat.narrow(0, param.offset, param.info.numel());
    };
    const auto blocks = [&](const at::Tensor& flat) {
      return flat.narrow(0, param.offset / kBlock, num_blocks(param));
    };
    internal::adamw_8bit_on_device(
        f, elements(segment.values_P), elements(segment.gradients_P),
        {elements(m.first), blocks(m.first_absmax), elements(m.second), blocks(m.second_absmax)});
  }
}

void AdamW::visit_state(const params::StateVisitor& visitor) const {
  for (const params::StoredParam& param : store_.params()) {
    const Segment& segment = store_.segments()[param.segment];
    const Moments& moments = moments_[param.segment];
    if (!segment.placement.trainable) continue;
    const int64_t numel = param.info.numel();
    const auto visit = [&](const char* kind, const at::Tensor& flat) {
      visitor({"optimizer." + std::string(kind) + "/" + param.info.name,
               flat.narrow(0, param.offset, numel).view(param.info.shape)});
    };
    const auto visit_absmax = [&](const char* kind, const at::Tensor& flat) {
      visitor({"optimizer." + std::string(kind) + "/" + param.info.name,
               flat.narrow(0, param.offset / kBlock, num_blocks(param))});
    };
    if (!is_8bit(segment)) {
      visit("exp_avg", moments.first);
      visit("exp_avg_sq", moments.second);
      continue;
    }
    visit("exp_avg_code", moments.first);
    visit_absmax("exp_avg_absmax", moments.first_absmax);
    visit("exp_avg_sq_code", moments.second);
    visit_absmax("exp_avg_sq_absmax", moments.second_absmax);
  }
}

std::vector<params::StateScalar> AdamW::scalars() const {
  std::vector<params::StateScalar> out;
  for (const auto& [group, count] : steps_) out.push_back({"optimizer.step/" + group, count});
  return out;
}

Status AdamW::set_scalars(const std::vector<params::StateScalar>& scalars) {
  std::map<std::string, int64_t> steps;
  for (const auto& [group, count] : steps_) {
    ZT_TRY_ASSIGN(steps[group], internal::find_count(scalars, "optimizer.step/" + group));
  }
  steps_ = std::move(steps);
  return {};
}

int64_t AdamW::num_bytes() const {
  int64_t sum = 0;
  for (const Moments& m : moments_) {
    for (const at::Tensor* t : {&m.first, &m.second, &m.first_absmax, &m.second_absmax}) {
      if (t->defined()) sum += static_cast<int64_t>(t->nbytes());
    }
  }
  return sum;
}

}  // namespace zt::optim
