// SPDX-License-Identifier: Apache-2.0
// See param_store.hpp.
#include "params/param_store.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <span>
#include <tuple>

#include "base/hash.hpp"
#include "base/parallel.hpp"
#include "params/lent_memory.hpp"
#include "tensor/memory.hpp"
#include "tensor/noise.hpp"
#include "tensor/require.hpp"
#include "tensor/sine_positions.hpp"

namespace zt::params {
namespace {

/// Purpose word of the random streams that start values come from.
constexpr uint32_t kInitPurpose = 0x1417;

std::string values_of(const Segment& segment) { return "the weights of " + segment.unit; }

int64_t padded(int64_t elements, int64_t to) { return (elements + to - 1) / to * to; }

/// Writes start values; `out` is a contiguous fp32 CPU tensor.
void write_start_values(const ParamInfo& info, uint64_t seed, const at::Tensor& out) {
  const tensor::NoiseKey key{seed, kInitPurpose, hash::xxh64(info.name)};
  switch (info.init.kind) {
    case Init::Kind::Zeros:
      out.zero_();
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
}

at::Tensor start_values(const ParamInfo& info, uint64_t seed) {
  at::Tensor out = at::empty(info.shape, at::kFloat);
  write_start_values(info, seed, out);
  return out;
}

/// The part of a parameter's first `count` elements that is kept here, in its segment.
Range kept_range(const Segment& segment, const StoredParam& param, int64_t count) {
  const Range place{param.offset, param.offset + count};
  return segment.keeps_values ? place : intersect(segment.part, place);
}

/// The parameter's numbers in its segment's flat tensor.
at::Tensor view_of(const at::Tensor& flat_P, const StoredParam& param) {
  return flat_P.narrow(0, param.offset, param.info.numel()).view(param.info.shape);
}

/// Gives the segment the memory that its residency wants, for `elements` and padding.
void allocate(Segment& segment, int64_t elements, const Residency& wanted, at::Device device) {
  const auto options = at::TensorOptions().dtype(segment.placement.dtype).device(device);
  const int64_t length = padded(elements, kBlockElements * wanted.shard.count);
  const auto part_of_whole = [&](const at::Tensor& whole_P) {
    return whole_P.narrow(0, segment.part.begin, segment.part.size());
  };
  segment.shard = wanted.shard;
  segment.part = part_of(wanted.shard, length);
  segment.keeps_values = wanted.whole_values;
  segment.keeps_gradients = wanted.whole_gradients;
  if (segment.keeps_values) {
    segment.values_P = tensor::mapped_zeros(length, options);
    segment.values_S = part_of_whole(segment.values_P);
  } else {
    segment.values_P = lent_tensor(length, options, values_of(segment));
    segment.values_S = tensor::mapped_zeros(segment.part.size(), options);
  }
  if (!segment.placement.trainable) return;
  if (segment.keeps_gradients) {
    segment.gradients_P = tensor::mapped_zeros(length, options);
    segment.gradients_S = part_of_whole(segment.gradients_P);
  } else {
    segment.gradients_P = lent_tensor(length, options, "the gradients of " + segment.unit);
    segment.gradients_S = tensor::mapped_zeros(segment.part.size(), options);
  }
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
      Segment& added = segments_.emplace_back();
      added.unit = info.unit;
      added.group = info.group;
      added.placement = place;
      sizes.push_back(0);
    }
    const size_t segment = found->second;
    by_name_.emplace(info.name, params_.size());
    segments_[segment].params.push_back(params_.size());
    params_.push_back({info, segment, sizes[segment], {}});
    sizes[segment] += padded(info.numel(), kBlockElements);
  }
  for (size_t s = 0; s < segments_.size(); ++s) {
    const Residency wanted = options.residency ? options.residency(segments_[s].unit) : Residency{};
    allocate(segments_[s], sizes[s], wanted, options.device);
  }
}

void ParamStore::bind_views() {
  for (StoredParam& param : params_) {
    const Segment& segment = segments_[param.segment];
    // variable_data: a leaf with its own version counter, so that writing the flat tensor never looks to
    // autograd like an in-place change of a saved weight.
    param.value = view_of(segment.values_P, param).variable_data();
    if (!segment.placement.trainable) continue;
    param.value.set_requires_grad(true);
    param.value.mutable_grad() = view_of(segment.gradients_P, param).variable_data();
  }
}

std::unique_ptr<ParamStore> ParamStore::clone() const {
  std::unique_ptr<ParamStore> other(new ParamStore);  // the constructor is private
  other->params_ = params_;
  other->segments_ = segments_;
  other->by_name_ = by_name_;
  other->gate_ = gate_;
  return other;
}

std::unique_ptr<ParamStore> ParamStore::with_own_gradients() const {
  const at::NoGradGuard no_grad;
  std::unique_ptr<ParamStore> other = clone();
  for (Segment& segment : other->segments_) {
    segment.touched = false;
    if (!segment.placement.trainable) continue;
    ZT_REQUIRE(segment.keeps_gradients, segment.unit, ": gradients that are not kept can't be summed");
    segment.gradients_P = at::zeros_like(segment.gradients_P);
    segment.gradients_S = segment.gradients_P.narrow(0, segment.part.begin, segment.part.size());
  }
  other->bind_views();
  return other;
}

std::unique_ptr<ParamStore> ParamStore::with_values_in(at::ScalarType dtype) const {
  const at::NoGradGuard no_grad;
  std::unique_ptr<ParamStore> other = clone();
  for (Segment& segment : other->segments_) {
    ZT_REQUIRE(segment.keeps_values, segment.unit, ": values that are not kept whole can't be copied");
    segment.gradients_P.reset();
    segment.gradients_S.reset();
    if (segment.placement.dtype != at::kFloat) continue;
    segment.placement.dtype = dtype;
    segment.values_P = at::empty_like(segment.values_P, dtype);
    segment.values_S = segment.values_P.narrow(0, segment.part.begin, segment.part.size());
  }
  for (StoredParam& param : other->params_) {
    const Segment& segment = other->segments_[param.segment];
    if (param.info.is_buffer) continue;
    param.value = view_of(segment.values_P, param).variable_data();
    param.value.set_requires_grad(segment.placement.trainable);
  }
  return other;
}

void ParamStore::initialize(uint64_t seed, const std::function<bool(const ParamInfo&)>& wanted) {
  std::vector<const StoredParam*> chosen;
  for (const StoredParam& param : params_) {
    if (wanted(param.info)) chosen.push_back(&param);
  }
  // Each parameter's numbers depend on its name alone, so threads share the work as it comes.
  parallel_for(chosen.size(), static_cast<size_t>(at::get_num_threads()),
               [&](size_t i) { start(*chosen[i], seed); });
}

void ParamStore::start(const StoredParam& param, uint64_t seed) const {
  const at::NoGradGuard no_grad;
  const Segment& segment = segments_[param.segment];
  const ParamInfo& info = param.info;
  if (kept_range(segment, param, info.numel()).size() == 0) return;
  const at::Tensor& kept = segment.kept_values();
  if (segment.keeps_values && kept.is_cpu() && kept.scalar_type() == at::kFloat)
    write_start_values(info, seed, kept.narrow(0, param.offset, info.numel()).view(info.shape));
  else
    put(param, start_values(info, seed));
}

void ParamStore::initialize_like(std::string_view name, const ParamInfo& other, uint64_t seed) {
  assign(name, start_values(other, seed));
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
    if (segment.touched) segment.kept_gradients().zero_();
    segment.touched = false;
  }
}

void ParamStore::assign(std::string_view name, const at::Tensor& value) {
  const StoredParam* param = find(name);
  ZT_REQUIRE(param, "the store has no parameter ", name);
  ZT_REQUIRE(param->value.sizes() == value.sizes(), name, ": wanted ", param->value, ", got ", value);
  put(*param, value);
}

void ParamStore::assign_rows(std::string_view name, const at::Tensor& rows) {
  const StoredParam* param = find(name);
  ZT_REQUIRE(param, "the store has no parameter ", name);
  ZT_REQUIRE(rows.dim() >= 1 && rows.dim() == param->value.dim() && rows.size(0) <= param->value.size(0) &&
                 rows.sizes().slice(1) == param->value.sizes().slice(1),
             name, ": wanted first rows of ", param->value, ", got ", rows);
  put(*param, rows);
}

void ParamStore::put(const StoredParam& param, const at::Tensor& front) const {
  const at::NoGradGuard no_grad;
  const Segment& segment = segments_[param.segment];
  const Range here = kept_range(segment, param, front.numel());
  if (here.size() == 0) return;
  const at::Tensor& kept = segment.kept_values();
  const int64_t begin = segment.keeps_values ? 0 : segment.part.begin;
  kept.narrow(0, here.begin - begin, here.size())
      .copy_(front.reshape(-1).narrow(0, here.begin - param.offset, here.size()));
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

bool ParamStore::trains(std::string_view unit) const {
  return std::any_of(segments_.begin(), segments_.end(), [&](const Segment& segment) {
    return segment.placement.trainable && segment.unit == unit;
  });
}

int64_t ParamStore::most_shards() const {
  int64_t most = 1;
  for (const Segment& segment : segments_) most = std::max(most, segment.shard.count);
  return most;
}

int64_t ParamStore::num_elements() const {
  int64_t sum = 0;
  for (const StoredParam& param : params_) sum += param.info.numel();
  return sum;
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
    sum += static_cast<int64_t>(segment.kept_values().nbytes());
    if (segment.placement.trainable) sum += static_cast<int64_t>(segment.kept_gradients().nbytes());
  }
  return sum;
}

}  // namespace zt::params
