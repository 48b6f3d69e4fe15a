// SPDX-License-Identifier: Apache-2.0
// See param_store.hpp.
#include "params/param_store.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <span>
#include <tuple>

#include "base/hash.hpp"
#include "base/parallel.hpp"
#include "tensor/noise.hpp"
#include "tensor/require.hpp"
#include "tensor/sine_positions.hpp"

namespace zt::params {
namespace {

/// Purpose word of the random streams that start values come from.
constexpr uint32_t kInitPurpose = 0x1417;

int64_t padded(int64_t elements, int64_t to) { return (elements + to - 1) / to * to; }

/// Start values as a contiguous fp32 CPU tensor.
at::Tensor start_values(const ParamInfo& info, uint64_t seed) {
  at::Tensor out = at::zeros(info.shape, at::kFloat);
  const tensor::NoiseKey key{seed, kInitPurpose, hash::xxh64(info.name)};
  switch (info.init.kind) {
    case Init::Kind::Zeros:
      break;
    case Init::Kind::Ones:
      out.fill_(1);
      break;
    case Init::Kind::Uniform:
      tensor::fill_uniform(out, key, -info.init.scale, info.init.scale);
      break;
    case Init::Kind::Normal:
      tensor::fill_normal(out, key, info.init.scale);
      break;
    case Init::Kind::SinePositions:
      out.copy_(tensor::sine_positions(out.size(-2), out.size(-1)));
      break;
  }
  return out;
}

}  // namespace

ParamStore::ParamStore(const ParamTable& table, const Options& options) {
  const at::NoGradGuard no_grad;
  lay_out(table, options);
  bind_views();
  if (options.initialize) initialize(options.seed, [](const ParamInfo&) { return true; });
}

void ParamStore::lay_out(const ParamTable& table, const Options& options) {
  using Key = std::tuple<std::string, std::string, at::ScalarType, bool, int, int>;
  std::map<Key, size_t> segment_of;
  std::vector<int64_t> sizes;
  for (const ParamInfo& info : table.params()) {
    Placement place;
    if (info.is_buffer) {
      place.trainable = false;
    } else if (options.placement) {
      place = options.placement(info);
    }
    const Key key{info.unit,       info.group,        place.dtype,
                  place.trainable, place.decay_group, place.optimizer_kind};
    const auto [found, is_new] = segment_of.emplace(key, segments_.size());
    if (is_new) {
      segments_.push_back({info.unit, info.group, place, {}, {}, {}, false});
      sizes.push_back(0);
    }
    const size_t segment = found->second;
    by_name_.emplace(info.name, params_.size());
    segments_[segment].params.push_back(params_.size());
    params_.push_back({info, segment, sizes[segment], {}});
    sizes[segment] += padded(info.numel(), kBlockElements);
  }
  for (size_t s = 0; s < segments_.size(); ++s) {
    Segment& segment = segments_[s];
    const auto tensor_options = at::TensorOptions().dtype(segment.placement.dtype).device(options.device);
    const int64_t length = padded(sizes[s], kBlockElements * options.shards);
    segment.values_P = at::zeros({length}, tensor_options);
    if (segment.placement.trainable) segment.gradients_P = at::zeros({length}, tensor_options);
  }
}

void ParamStore::bind_views() {
  for (StoredParam& param : params_) {
    const Segment& segment = segments_[param.segment];
    const auto view = [&](const at::Tensor& flat) {
      return flat.narrow(0, param.offset, param.info.numel()).view(param.info.shape);
    };
    // variable_data: a leaf with its own version counter, so that writing the flat tensor never looks to
    // autograd like an in-place change of a saved weight.
    param.value = view(segment.values_P).variable_data();
    if (!segment.placement.trainable) continue;
    param.value.set_requires_grad(true);
    param.value.mutable_grad() = view(segment.gradients_P).variable_data();
  }
}

std::unique_ptr<ParamStore> ParamStore::with_own_gradients() const {
  const at::NoGradGuard no_grad;
  std::unique_ptr<ParamStore> other(new ParamStore);  // the constructor is private
  other->params_ = params_;
  other->segments_ = segments_;
  other->by_name_ = by_name_;
  for (Segment& segment : other->segments_) {
    segment.touched = false;
    if (segment.placement.trainable) segment.gradients_P = at::zeros_like(segment.gradients_P);
  }
  other->bind_views();
  return other;
}

void ParamStore::initialize(uint64_t seed, const std::function<bool(const ParamInfo&)>& wanted) {
  std::vector<const StoredParam*> chosen;
  for (const StoredParam& param : params_) {
    if (wanted(param.info)) chosen.push_back(&param);
  }
  // Each parameter's numbers depend on its name alone, so threads share the work as it comes.
  parallel_for(chosen.size(), static_cast<size_t>(at::get_num_threads()), [&](size_t i) {
    const at::NoGradGuard no_grad;
    chosen[i]->value.variable_data().copy_(start_values(chosen[i]->info, seed));
  });
}

const StoredParam* ParamStore::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &params_[found->second];
}

void ParamStore::touch(std::string_view group) {
  for (Segment& segment : segments_) {
    if (segment.placement.trainable && segment.group == group) segment.touched = true;
  }
}

void ParamStore::zero_gradients() {
  for (Segment& segment : segments_) {
    if (segment.touched) segment.gradients_P.zero_();
    segment.touched = false;
  }
}

void ParamStore::assign(std::string_view name, const at::Tensor& value) {
  const StoredParam* param = find(name);
  ZT_REQUIRE(param, "the store has no parameter ", name);
  ZT_REQUIRE(param->value.sizes() == value.sizes(), name, ": wanted ", param->value, ", got ", value);
  const at::NoGradGuard no_grad;
  param->value.variable_data().copy_(value);
}

std::string ParamStore::digest(std::string_view prefix) const {
  hash::Xxh128 hash;
  for (const StoredParam& param : params_) {
    if (!param.info.name.starts_with(prefix)) continue;
    const at::Tensor bytes = param.value.detach().cpu().contiguous();
    hash.update(param.info.name);
    hash.update(std::as_bytes(std::span(param.info.shape)));
    hash.update({static_cast<const std::byte*>(bytes.const_data_ptr()), static_cast<size_t>(bytes.nbytes())});
  }
  return hash.hex();
}

int64_t ParamStore::num_trainable() const {
  int64_t sum = 0;
  for (const StoredParam& param : params_) {
    if (segments_[param.segment].placement.trainable) sum += param.info.numel();
  }
  return sum;
}

int64_t ParamStore::num_bytes() const {
  int64_t sum = 0;
  for (const Segment& segment : segments_) {
    sum += static_cast<int64_t>(segment.values_P.nbytes());
    if (segment.gradients_P.defined()) sum += static_cast<int64_t>(segment.gradients_P.nbytes());
  }
  return sum;
}

}  // namespace zt::params
