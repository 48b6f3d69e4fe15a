// SPDX-License-Identifier: Apache-2.0
// The functions of NVIDIA's driver and runtime compiler that compile and start kernels, found when they are
// first wanted: a program that never sees a GPU never loads them. Declared here as their headers have them
// (cuda.h, nvrtc.h of CUDA 12 and 13), where 0 is success and handles are pointers.
#pragma once

#include <cstddef>

#include "base/error.hpp"

namespace zt::tensor::internal {

struct CudaFunctions {
  int (*create_program)(void** program, const char* source, const char* name, int num_headers,
                        const char* const* headers, const char* const* include_names) = nullptr;
  int (*compile_program)(void* program, int num_options, const char* const* options) = nullptr;
  int (*destroy_program)(void** program) = nullptr;
  int (*get_log_size)(void* program, size_t* size) = nullptr;
  int (*get_log)(void* program, char* log) = nullptr;
  int (*get_cubin_size)(void* program, size_t* size) = nullptr;
  int (*get_cubin)(void* program, char* cubin) = nullptr;

  int (*device_get_attribute)(int* value, int attribute, int device) = nullptr;
  int (*module_load_data)(void** module, const void* image) = nullptr;
  int (*module_get_function)(void** function, void* module, const char* name) = nullptr;
  int (*launch_kernel)(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                       unsigned block_y, unsigned block_z, unsigned shared_bytes, void* stream,
                       void** arguments, void** extra) = nullptr;
  int (*get_error_string)(int error, const char** text) = nullptr;
};

/// CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_...
inline constexpr int kMajorAttribute = 75, kMinorAttribute = 76;

/// The compiler's functions alone, which need no GPU. Errors: Unsupported if the library or a function is not
/// there, saying how to get it.
Result<CudaFunctions> compiler_functions();
/// All of them. Errors: the same.
Result<const CudaFunctions*> cuda_functions();

}  // namespace zt::tensor::internal
