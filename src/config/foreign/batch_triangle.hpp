// SPDX-License-Identifier: Apache-2.0
// DeepSpeed's rule between the three batch keys: batch of a step = micro batch x accumulation x ranks.
// Source: deepspeed/runtime/config.py, _set_batch_related_parameters and _batch_assertion.
#pragma once

#include <cstdint>
#include <optional>

#include "base/error.hpp"

namespace zt::config::foreign {

inline constexpr int64_t kMostSamples = 1 << 30;  ///< keeps the product of two within 64 bits
inline bool is_batch_number(int64_t value) { return value >= 1 && value <= kMostSamples; }

struct BatchKeys {
  std::optional<int64_t> total;  ///< train_batch_size
  std::optional<int64_t> micro;  ///< train_micro_batch_size_per_gpu
  std::optional<int64_t> accumulation;
};

struct Batching {
  int64_t micro = 1;  ///< samples per rank and forward
  int64_t accumulation = 1;
};

/// Two keys give the third, by whole division; the total alone has accumulation 1, and so has the micro batch
/// alone. Errors: InvalidConfig if neither batch is given, if a number is below 1, or if total != micro x
/// accumulation x ranks. Requires ranks >= 1.
Result<Batching> complete_batch(const BatchKeys& keys, int64_t ranks);

}  // namespace zt::config::foreign
