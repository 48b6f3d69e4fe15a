// SPDX-License-Identifier: Apache-2.0
// What the wrappers of the row kernels have in common: the rows divided among libtorch's threads, and
// gradients of weights that every thread adds up for itself.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nn/internal/panels.hpp"
#include "tensor/parallel.hpp"

namespace zt::nn::internal {

inline constexpr int64_t kRowsWorthAThread = 48;
/// Rows are whole vectors of any instruction set.
inline constexpr int64_t kWholeVectors = 16;
/// The weights of wider layers leave the cache between two blocks of rows.
inline constexpr int64_t kMostWeights = int64_t{1} << 22;

/// Whether the kernels run here on rows of this type.
bool runs_row_kernels(c10::Device device, c10::ScalarType type);

/// What forward's products multiply for rows of this type.
Operands forward_operands(const at::Tensor& rows);

/// A weight as the kernels read it.
at::Tensor as_fp32(const at::Tensor& weight);

/// As many shares of the rows as threads have enough to do.
int64_t count_shares(int64_t rows);

/// Runs body(share, first, last) for each share, on threads.
template <class Body>
void over_shares(int64_t shares, int64_t rows, const Body& body) {
  tensor::parallel_for(0, shares, 1, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) body(i, rows * i / shares, rows * (i + 1) / shares);
  });
}

/// For every share of the rows a gradient of each weight.
class SharedGradients {
 public:
  /// Undefined weights get none.
  SharedGradients(const std::vector<at::Tensor>& weights, int64_t shares);
  /// Null where there is none.
  float* data(size_t weight, int64_t share) const;
  /// All shares added up in order, of the weight's type; undefined where there is none.
  at::Tensor total(size_t weight) const;

 private:
  std::vector<at::Tensor> all_;
  std::vector<c10::ScalarType> types_;
};

}  // namespace zt::nn::internal
