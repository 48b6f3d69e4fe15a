// SPDX-License-Identifier: Apache-2.0
// See cuda_functions.hpp.
#include "tensor/internal/cuda_functions.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <initializer_list>

namespace zt::tensor::internal {
namespace {

/// The first of the libraries that opens; it stays loaded.
Result<void*> open_first(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (void* library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL)) return library;
  }
  return fail(ErrorCode::Unsupported, fmt::format("kernels for a GPU need {}: run scripts/setup --cuda ({})",
                                                  *names.begin(), ::dlerror()));
}

template <class Function>
Status find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function != nullptr) return {};
  return fail(ErrorCode::Unsupported, fmt::format("CUDA's libraries have no {}: they are too old", name));
}

Result<CudaFunctions> find_all() {
  ZT_TRY_ASSIGN(CudaFunctions cuda, compiler_functions());
  ZT_TRY_ASSIGN(void* const driver, open_first({"libcuda.so.1"}));
  ZT_TRY(find(driver, "cuDeviceGetAttribute", cuda.device_get_attribute));
  ZT_TRY(find(driver, "cuModuleLoadData", cuda.module_load_data));
  ZT_TRY(find(driver, "cuModuleGetFunction", cuda.module_get_function));
  ZT_TRY(find(driver, "cuLaunchKernel", cuda.launch_kernel));
  ZT_TRY(find(driver, "cuGetErrorString", cuda.get_error_string));
  return cuda;
}

}  // namespace

Result<CudaFunctions> compiler_functions() {
  ZT_TRY_ASSIGN(void* const compiler, open_first({"libnvrtc.so.13", "libnvrtc.so.12"}));
  CudaFunctions cuda;
  ZT_TRY(find(compiler, "nvrtcCreateProgram", cuda.create_program));
  ZT_TRY(find(compiler, "nvrtcCompileProgram", cuda.compile_program));
  ZT_TRY(find(compiler, "nvrtcDestroyProgram", cuda.destroy_program));
  ZT_TRY(find(compiler, "nvrtcGetProgramLogSize", cuda.get_log_size));
  ZT_TRY(find(compiler, "nvrtcGetProgramLog", cuda.get_log));
  ZT_TRY(find(compiler, "nvrtcGetCUBINSize", cuda.get_cubin_size));
  ZT_TRY(find(compiler, "nvrtcGetCUBIN", cuda.get_cubin));
  return cuda;
}

Result<const CudaFunctions*> cuda_functions() {
  static const Result<CudaFunctions> functions = find_all();
  if (!functions) return fail(functions.error());
  return &*functions;
}

}  // namespace zt::tensor::internal
