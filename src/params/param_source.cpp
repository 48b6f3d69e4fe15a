// SPDX-License-Identifier: Apache-2.0
// See param_source.hpp.
#include "params/param_source.hpp"

#include "params/param_store.hpp"
#include "tensor/require.hpp"

namespace zt::params {

ParamSource::ParamSource(ParamTable& table, std::string_view network)
    : table_(&table), network_(network), prefix_(network_ + "."), unit_(network_), group_(network_) {}

ParamSource::ParamSource(const ParamStore& store, std::string_view network)
    : store_(&store), network_(network), prefix_(network_ + "."), unit_(network_), group_(network_) {}

ParamSource ParamSource::child(std::string_view name) const {
  ParamSource copy = *this;
  copy.prefix_.append(name).append(".");
  return copy;
}

ParamSource ParamSource::child(std::string_view name, int64_t index) const {
  return child(name).child(std::to_string(index));
}

ParamSource ParamSource::unit(std::string_view name) const {
  ParamSource copy = *this;
  copy.unit_ = network_ + "." + std::string(name);
  return copy;
}

ParamSource ParamSource::group(std::string_view name) const {
  ParamSource copy = *this;
  copy.group_ = network_ + "." + std::string(name);
  return copy;
}

at::Tensor ParamSource::parameter(std::string_view name, at::IntArrayRef shape, Init init) const {
  return get(name, shape, init, /*is_buffer=*/false);
}

at::Tensor ParamSource::buffer(std::string_view name, at::IntArrayRef shape, Init init) const {
  return get(name, shape, init, /*is_buffer=*/true);
}

at::Tensor ParamSource::get(std::string_view name, at::IntArrayRef shape, Init init, bool is_buffer) const {
  std::string full = prefix_ + std::string(name);
  if (table_) {
    table_->add({std::move(full), shape.vec(), init, unit_, group_, is_buffer});
    return {};
  }
  const StoredParam* stored = store_->find(full);
  ZT_REQUIRE(stored, "the store has no parameter ", full, ": it was built from another model configuration");
  ZT_REQUIRE(stored->value.sizes() == shape, full, " has another shape in the store: wanted ", shape,
             ", found ", stored->value);
  return stored->value;
}

}  // namespace zt::params
