// SPDX-License-Identifier: Apache-2.0
// See cuda_functions.hpp.
#include "tensor/internal/cuda_functions.hpp"

#include "base/process/library.hpp"

namespace zt::tensor::internal {
namespace {

constexpr const char* kNeed = "kernels for a GPU need CUDA's libraries: run scripts/setup --cuda";

Result<CudaFunctions> find_all() {
  ZT_TRY_ASSIGN(CudaFunctions cuda, compiler_functions());
  ZT_TRY_ASSIGN(const Library driver, Library::open({"libcuda.so.1"}, kNeed));
  ZT_TRY(driver.find("cuDeviceGetAttribute", cuda.device_get_attribute));
  ZT_TRY(driver.find("cuModuleLoadData", cuda.module_load_data));
  ZT_TRY(driver.find("cuModuleGetFunction", cuda.module_get_function));
  ZT_TRY(driver.find("cuLaunchKernel", cuda.launch_kernel));
  ZT_TRY(driver.find("cuGetErrorString", cuda.get_error_string));
  return cuda;
}

}  // namespace

Result<CudaFunctions> compiler_functions() {
  ZT_TRY_ASSIGN(const Library compiler, Library::open({"libnvrtc.so.13", "libnvrtc.so.12"}, kNeed));
  CudaFunctions cuda;
  ZT_TRY(compiler.find("nvrtcCreateProgram", cuda.create_program));
  ZT_TRY(compiler.find("nvrtcCompileProgram", cuda.compile_program));
  ZT_TRY(compiler.find("nvrtcDestroyProgram", cuda.destroy_program));
  ZT_TRY(compiler.find("nvrtcGetProgramLogSize", cuda.get_log_size));
  ZT_TRY(compiler.find("nvrtcGetProgramLog", cuda.get_log));
  ZT_TRY(compiler.find("nvrtcGetCUBINSize", cuda.get_cubin_size));
  ZT_TRY(compiler.find("nvrtcGetCUBIN", cuda.get_cubin));
  return cuda;
}

Result<const CudaFunctions*> cuda_functions() {
  static const Result<CudaFunctions> functions = find_all();
  if (!functions) return fail(functions.error());
  return &*functions;
}

}  // namespace zt::tensor::internal
