// SPDX-License-Identifier: Apache-2.0
// What layers are constructed from. The same constructor code serves two ends: with a declaring source each
// request adds a row to a ParamTable and returns an undefined tensor (the layer is then thrown away); with a
// binding source it returns the store's view of that parameter. A source is a small value: child() and unit()
// make changed copies.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "params/param_table.hpp"

namespace zt::params {

class ParamStore;

class ParamSource {
 public:
  /// Declares into `table`. Names start with "<network>.", unit and gradient group are `network` until
  /// changed.
  ParamSource(ParamTable& table, std::string_view network);
  /// Binds views of `store`, which must outlive the layers.
  ParamSource(const ParamStore& store, std::string_view network);

  /// Names below get "<name>." in front: child("attn1").child("to_out.0").
  ParamSource child(std::string_view name) const;
  ParamSource child(std::string_view name, int64_t index) const;
  /// Same names, another unit: "<network>.<name>".
  ParamSource unit(std::string_view name) const;
  /// Same names, another gradient group: "<network>.<name>".
  ParamSource group(std::string_view name) const;

  /// Binding: throws ContractError if the store has no such parameter or another shape.
  at::Tensor parameter(std::string_view name, at::IntArrayRef shape, Init init) const;
  /// A saved tensor that is never trained.
  at::Tensor buffer(std::string_view name, at::IntArrayRef shape, Init init) const;

  bool is_declaring() const { return table_ != nullptr; }
  /// Null while declaring.
  const ParamStore* store() const { return store_; }
  const std::string& network() const { return network_; }
  const std::string& unit_name() const { return unit_; }

 private:
  at::Tensor get(std::string_view name, at::IntArrayRef shape, Init init, bool is_buffer) const;
  ParamTable* table_ = nullptr;
  const ParamStore* store_ = nullptr;
  std::string network_, prefix_, unit_, group_;
};

}  // namespace zt::params
