// SPDX-License-Identifier: Apache-2.0
// Where two checkpoints differ, whatever the number of ranks that wrote each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "archive/stored_checkpoint.hpp"

namespace zt::archive {

/// A tensor whose elements differ. Elements are compared bit for bit; where one of two that differ is not
/// finite, both numbers are infinite.
struct TensorDifference {
  std::string name;
  int64_t elements = 0;
  int64_t differing = 0;
  double largest_absolute = 0;  ///< |a - b|
  double largest_relative = 0;  ///< |a - b| / max(|a|, |b|)
};

/// A tensor's type and shape, or a number's text; empty where the checkpoint does not have it.
struct NamedDifference {
  std::string name;
  std::string a, b;
};

struct Difference {
  std::vector<NamedDifference> kinds;     ///< tensors of one checkpoint only, or of another type or shape
  std::vector<TensorDifference> tensors;  ///< of one type and shape, by name
  std::vector<NamedDifference> scalars;   ///< counters, the data's cursor, "step"
  int64_t num_tensors = 0;                ///< that were compared
  int64_t num_scalars = 0;
  bool is_same() const { return kinds.empty() && tensors.empty() && scalars.empty(); }
};

/// Tensors and numbers are compared; who wrote the checkpoint, when, with how many ranks, what validation
/// measured and how long the run took are not. Cost: reads both where they differ or are not mapped yet.
Difference compare(const StoredCheckpoint& a, const StoredCheckpoint& b);

}  // namespace zt::archive
