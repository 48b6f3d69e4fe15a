// SPDX-License-Identifier: Apache-2.0
// AdamW's pass over the elements of a segment on a GPU: the bits of the CPU's (step_arithmetic.hpp).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>

#include "optim/internal/gpu/arguments.hpp"
#include "optim/internal/step_arithmetic.hpp"
#include "tensor/gpu_kernels.hpp"

namespace zt::params {
struct Segment;
}

namespace zt::optim::internal {

/// The CUDA C++ that NVRTC is given.
std::string_view gpu_kernels_source();

/// The segment's part, without an EMA. `master`: fp32 values of bf16 weights, or undefined.
ElementRun run_of(const params::Segment& segment, const at::Tensor& master);
/// 8-bit state of a segment's part, on its GPU.
struct Codes {
  at::Tensor first, first_absmax, second, second_absmax;
  at::Tensor last_in_block;  ///< State8Bit::last_in_block
};

class GpuStep {
 public:
  /// Compiles the kernels, a matter of a second. Requires a GPU opened by tensor::open_device (throws
  /// ContractError if the kernels can't be had).
  explicit GpuStep(at::Device gpu);

  /// With fp32 moments of the run's elements. Either is one launch.
  void step(const Factors& factors, const ElementRun& run, const at::Tensor& first,
            const at::Tensor& second) const;
  void step_8bit(const Factors& factors, const ElementRun& run, const Codes& codes) const;

 private:
  tensor::GpuKernels kernels_;
  at::Tensor first_values_, first_map_;  ///< signed_map() on the GPU
  at::Tensor second_values_, second_map_;
};

}  // namespace zt::optim::internal
