// SPDX-License-Identifier: Apache-2.0
// Small parameter stores for tests of what walks segments.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "params/param_store.hpp"
#include "params/param_table.hpp"

namespace zt::test {

struct TestParam {
  std::string name;
  std::vector<int64_t> shape;
  std::string unit = "net";
  std::string group = "net";
};

/// A store of these parameters, values normal with standard deviation 1.
inline std::unique_ptr<params::ParamStore> make_store(const std::vector<TestParam>& wanted,
                                                      params::PlacementRule placement = {},
                                                      params::Shard shard = {},
                                                      const params::ResidencyRule& residency = {},
                                                      at::Device device = at::kCPU) {
  params::ParamTable table;
  for (const TestParam& p : wanted)
    table.add({p.name, p.shape, params::Init::normal(1), p.unit, p.group, /*is_buffer=*/false});
  params::ParamStore::Options options;
  options.placement = std::move(placement);
  options.seed = 7;
  options.residency = [=](const std::string& unit) {
    params::Residency kept = residency ? residency(unit) : params::Residency{};
    if (shard.count > 1) kept.shard = shard;
    return kept;
  };
  options.device = device;
  return std::make_unique<params::ParamStore>(table, options);
}

inline at::Tensor value(const params::ParamStore& store, const std::string& name) {
  return store.find(name)->value.detach();
}

/// The gradient view of a parameter.
inline at::Tensor gradient(const params::ParamStore& store, const std::string& name) {
  return store.find(name)->value.grad();
}

/// Writes a gradient that depends on `salt` into every trainable parameter of the groups and touches them.
inline void fill_gradients(params::ParamStore& store, const std::vector<std::string>& groups, double salt) {
  for (const params::StoredParam& param : store.params()) {
    bool is_wanted = false;
    for (const std::string& group : groups) is_wanted = is_wanted || param.info.group == group;
    if (!is_wanted || !param.value.grad().defined()) continue;
    const at::Tensor k = at::arange(param.info.numel(), at::kFloat).view(param.value.sizes());
    param.value.grad().copy_((k * 0.37 + salt).sin() * 0.1);
  }
  for (const std::string& group : groups) store.touch(group);
}

}  // namespace zt::test
