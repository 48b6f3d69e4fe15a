// SPDX-License-Identifier: Apache-2.0
// Where tensors live, by the name users write. The CUDA half of libtorch is opened only when a GPU is asked
// for, so that a machine without one never loads it.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string>

#include "base/error.hpp"

namespace zt::tensor {

/// What a GPU may trade for speed, in this whole process.
struct GpuMath {
  bool allow_tf32 = false;    ///< products of fp32 numbers by the matrix units' shorter type
  bool is_repeatable = true;  ///< the same bits in every run: no algorithm that adds in any order
};

/// "cpu", "cuda:N" or "cuda", which is GPU number `place`, or the only one there is: launchers often show
/// each rank of a host its own. For a GPU, sets GpuMath's defaults; must then be called before this process
/// asks libtorch anything about CUDA. Errors: InvalidConfig for another name; Unsupported if libtorch's CUDA
/// libraries are not installed, saying how to get them, or there is no such GPU.
Result<at::Device> open_device(const std::string& name, int64_t place = 0);

/// Must come after open_device() and before the GPU's first product.
void set_gpu_math(const GpuMath& math);

}  // namespace zt::tensor
