// SPDX-License-Identifier: Apache-2.0
// A neural network from a .tflite file with one float input and float outputs of fixed shapes. The interface
// keeps the pose code free of any runtime; litert.hpp is the implementation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/error.hpp"

namespace zt::data {

/// Threads: one caller at a time; any number of models in parallel.
class TfliteModel {
 public:
  virtual ~TfliteModel() = default;
  /// E.g. {1, 224, 224, 3}: batch, rows, columns, channels.
  virtual const std::vector<int64_t>& input_shape() const = 0;
  /// Number of elements of each output.
  virtual const std::vector<size_t>& output_sizes() const = 0;
  /// Outputs in the order of output_sizes(). Requires: as many values as the input shape has. Errors:
  /// Internal if the runtime fails.
  virtual Result<std::vector<std::vector<float>>> run(std::span<const float> input) = 0;
};

}  // namespace zt::data
