// SPDX-License-Identifier: Apache-2.0
// For tests: networks of a job, and what is in them.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include "models/network_set.hpp"

namespace zt::test {

inline constexpr int64_t kLatents = 4;

inline models::NetworkSet built(const config::ModelJob& job, const models::BuildOptions& options = {}) {
  auto set = models::build_networks(job, kLatents, options);
  if (!set) throw std::runtime_error(set.error().text());
  return *std::move(set);
}

inline at::Tensor value_in(const models::NetworkSet& set, const std::string& name) {
  return set.store->find(name)->value.detach();
}

}  // namespace zt::test
