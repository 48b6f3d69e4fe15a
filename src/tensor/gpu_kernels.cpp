// SPDX-License-Identifier: Apache-2.0
// See gpu_kernels.hpp.
#include "tensor/gpu_kernels.hpp"

#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <array>
#include <limits>

#include "tensor/internal/cuda_functions.hpp"
#include "tensor/require.hpp"

namespace zt::tensor {
namespace {

using internal::CudaFunctions;

std::string driver_text(const CudaFunctions& cuda, int error) {
  const char* text = nullptr;
  cuda.get_error_string(error, &text);
  return fmt::format("{} ({})", text != nullptr ? text : "unknown", error);
}

Status expect(const CudaFunctions& cuda, int error, std::string_view doing) {
  if (error == 0) return {};
  return fail(ErrorCode::Internal,
              fmt::format("the GPU's driver can't {}: {}", doing, driver_text(cuda, error)));
}

Result<std::string> compiled(const CudaFunctions& cuda, void* program, std::string_view capability) {
  const std::string architecture = fmt::format("--gpu-architecture=sm_{}", capability);
  const std::array<const char*, 3> options{architecture.c_str(), "--fmad=false", "--std=c++17"};
  if (cuda.compile_program(program, static_cast<int>(options.size()), options.data()) != 0) {
    size_t size = 0;
    cuda.get_log_size(program, &size);
    std::string log(size, '\0');
    cuda.get_log(program, log.data());
    return fail(ErrorCode::Internal,
                fmt::format("a kernel does not compile for sm_{}:\n{}", capability, log.c_str()));
  }
  size_t size = 0;
  cuda.get_cubin_size(program, &size);
  std::string code(size, '\0');
  if (cuda.get_cubin(program, code.data()) != 0 || code.empty())
    return fail(ErrorCode::Internal, "the compiler made no code for sm_" + std::string(capability));
  return code;
}

}  // namespace

Result<std::string> compile_kernels(std::string_view source, std::string_view capability) {
  ZT_TRY_ASSIGN(const CudaFunctions cuda, internal::compiler_functions());
  void* program = nullptr;
  const std::string text(source);
  if (cuda.create_program(&program, text.c_str(), "kernels.cu", 0, nullptr, nullptr) != 0)
    return fail(ErrorCode::Internal, "NVRTC takes no program");
  Result<std::string> code = compiled(cuda, program, capability);
  cuda.destroy_program(&program);
  return code;
}

Result<GpuKernels> GpuKernels::load(at::Device gpu, std::string_view source,
                                    std::initializer_list<const char*> names) {
  ZT_TRY_ASSIGN(const CudaFunctions* const cuda, internal::cuda_functions());
  int major = 0, minor = 0;
  ZT_TRY(expect(*cuda, cuda->device_get_attribute(&major, internal::kMajorAttribute, gpu.index()),
                "tell the GPU's generation"));
  ZT_TRY(expect(*cuda, cuda->device_get_attribute(&minor, internal::kMinorAttribute, gpu.index()),
                "tell the GPU's generation"));
  ZT_TRY_ASSIGN(const std::string code, compile_kernels(source, fmt::format("{}{}", major, minor)));

  // The driver works in the context that is current; libtorch makes its own so when it is told the device.
  const c10::DeviceGuard guard(gpu);
  void* module = nullptr;
  ZT_TRY(expect(*cuda, cuda->module_load_data(&module, code.data()), "load our kernels"));
  GpuKernels loaded(gpu);
  for (const char* name : names)
    ZT_TRY(expect(*cuda, cuda->module_get_function(&loaded.kernels_.emplace_back(), module, name),
                  fmt::format("find the kernel {}", name)));
  return loaded;
}

void GpuKernels::start(size_t kernel, int64_t blocks, int threads, std::vector<void*> arguments) const {
  ZT_REQUIRE(blocks >= 1 && blocks <= std::numeric_limits<int32_t>::max(), "a launch of ", blocks, " blocks");
  const CudaFunctions& cuda = **internal::cuda_functions();
  const c10::DeviceGuard guard(gpu_);
  void* const stream = c10::impl::VirtualGuardImpl(gpu_.type()).getStream(gpu_).native_handle();
  const int error =
      cuda.launch_kernel(kernels_.at(kernel), static_cast<unsigned>(blocks), 1, 1,
                         static_cast<unsigned>(threads), 1, 1, 0, stream, arguments.data(), nullptr);
  ZT_REQUIRE(error == 0, "the GPU's driver refuses a launch: ", driver_text(cuda, error));
}

}  // namespace zt::tensor
