// SPDX-License-Identifier: Apache-2.0
// Our own kernels for a GPU: CUDA C++ text that NVRTC compiles for the GPU at hand, a matter of a second, so
// that a build needs no CUDA compiler and one program runs on every generation of GPUs. Without contraction
// (--fmad=false): multiply-adds are fused where the text says so.
#pragma once

#include <c10/core/Device.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace zt::tensor {

/// Machine code of `source` for GPUs of a compute capability, "90" for 9.0. Needs no GPU. Errors: Unsupported
/// without NVRTC; Internal with the compiler's log if the text is not right.
Result<std::string> compile_kernels(std::string_view source, std::string_view capability);

class GpuKernels {
 public:
  /// Loads the kernels `names` (extern "C" functions of `source`) onto a GPU. Errors: those of
  /// compile_kernels; Internal if the driver refuses them.
  static Result<GpuKernels> load(at::Device gpu, std::string_view source,
                                 std::initializer_list<const char*> names);

  /// Starts kernel number `kernel` of the names behind the work of libtorch's current stream. `blocks` >= 1.
  /// The arguments must have the types of the kernel's parameters. Throws ContractError if the driver refuses
  /// the launch.
  template <class... Arguments>
  void launch(size_t kernel, int64_t blocks, int threads, Arguments... arguments) const {
    start(kernel, blocks, threads, {static_cast<void*>(&arguments)...});
  }

 private:
  explicit GpuKernels(at::Device gpu) : gpu_(gpu) {}
  void start(size_t kernel, int64_t blocks, int threads, std::vector<void*> arguments) const;
  at::Device gpu_;
  std::vector<void*> kernels_;  ///< the driver's handles, which last as long as the program
};

}  // namespace zt::tensor
