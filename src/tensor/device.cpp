// SPDX-License-Identifier: Apache-2.0
// See device.hpp.
#include "tensor/device.hpp"

#include <ATen/Context.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <optional>

#include "base/text/text.hpp"
#include "tensor/internal/cuda_functions.hpp"

namespace zt::tensor {
namespace {

/// Its static initialisers register kernels and hooks; it stays loaded.
constexpr const char* kCudaLibrary = "libtorch_cuda.so";

/// libtorch looks for its CUDA hooks once, at the first question about CUDA: the library must be open by
/// then.
Status open_cuda() {
  if (::dlopen(kCudaLibrary, RTLD_NOW | RTLD_GLOBAL) == nullptr)
    return fail(ErrorCode::Unsupported,
                std::string("device cuda needs libtorch's CUDA libraries: run scripts/setup --cuda (") +
                    ::dlerror() + ")");
  if (!at::hasCUDA())
    return fail(ErrorCode::Unsupported, "libtorch_cuda.so was opened, but finds no usable CUDA driver");
  ZT_TRY(internal::cuda_functions());
  return {};
}

}  // namespace

Result<at::Device> open_device(const std::string& name, int64_t place) {
  if (name == "cpu") return at::Device(at::kCPU);
  std::optional<int> index;
  const std::string prefix = "cuda:";
  if (name.starts_with(prefix)) {
    index = text::to_number<int>(std::string_view(name).substr(prefix.size()));
    if (!index || *index < 0)
      return fail(ErrorCode::InvalidConfig, "device: wanted cpu, cuda or cuda:N, found " + name);
  } else if (name != "cuda") {
    return fail(ErrorCode::InvalidConfig, "device: wanted cpu, cuda or cuda:N, found " + name);
  }
  ZT_TRY(open_cuda());
  const auto num_gpus = static_cast<int>(at::detail::getCUDAHooks().deviceCount());
  const int chosen = index.value_or(num_gpus == 1 ? 0 : static_cast<int>(place));
  if (chosen >= num_gpus)
    return fail(ErrorCode::Unsupported,
                fmt::format("device {}: wanted GPU number {}, this machine has {}", name, chosen, num_gpus));
  set_gpu_math({});
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(chosen));
}

void set_gpu_math(const GpuMath& math) {
  at::Context& context = at::globalContext();
  context.setAllowTF32CuBLAS(math.allow_tf32);
  context.setAllowTF32CuDNN(math.allow_tf32);
  // cuBLAS reads it when it starts; with other values its products may differ between runs.
  if (math.is_repeatable) ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  context.setDeterministicAlgorithms(math.is_repeatable, /*warn_only=*/false);
  context.setDeterministicFillUninitializedMemory(false);  // nothing here reads what it has not written
  context.setDeterministicCuDNN(math.is_repeatable);
  context.setBenchmarkCuDNN(!math.is_repeatable);  // picks by time, so not the same each run
}

}  // namespace zt::tensor
