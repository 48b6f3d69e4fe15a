// SPDX-License-Identifier: Apache-2.0
// A transformer's linear layers with what stands before and behind them: norm and positions, the residual. On
// a CPU each call is one pass over the rows (internal/projection_kernel.hpp), in fp32 arithmetic (bf16 rows:
// pairs of bf16 where the CPU multiplies them), that keeps nothing but its input for backward; elsewhere it
// is the operations written out.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "nn/linear.hpp"
#include "nn/norm.hpp"

namespace zt::nn {

/// norm(x) + positions.
struct ProjectionInput {
  at::Tensor x;                     ///< (..., C)
  const LayerNorm* norm = nullptr;  ///< null: none
  /// Added to x (B, F, S, C) behind the norm; undefined: nothing.
  at::Tensor positions_1F1C = {};
};

/// Each layer's output, (..., out), at most three of them.
std::vector<at::Tensor> project(const ProjectionInput& input, std::initializer_list<const Linear*> layers);

/// residual + layer(x).
at::Tensor project_onto(const at::Tensor& residual, const at::Tensor& x, const Linear& layer);

/// Whether this CPU has the instructions.
bool cpu_has_row_kernels();
/// Whether a layer is then one pass, for fp32 and bf16.
bool projection_fits_kernel(int64_t in_width, int64_t out_width);

}  // namespace zt::nn
