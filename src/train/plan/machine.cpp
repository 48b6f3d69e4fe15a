// SPDX-License-Identifier: Apache-2.0
// See machine.hpp.
#include "train/plan/machine.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/clock.hpp"
#include "base/process/resources.hpp"

namespace zt::train {
namespace {

constexpr int kTries = 3;

/// Seconds of the fastest of a few calls.
template <class Work>
double fastest(const Work& work) {
  double best = 1e9;
  for (int i = 0; i < kTries; ++i) {
    const clock::Stopwatch watch;
    work();
    best = std::min(best, watch.seconds());
  }
  return best;
}

Result<Machine> this_host() {
  ZT_TRY_ASSIGN(const resources::Memory memory, resources::memory());
  constexpr int64_t kBytes = 32 << 20;
  const at::NoGradGuard no_grad;
  const at::Tensor from = at::zeros({kBytes}, at::kByte), to = at::zeros({kBytes}, at::kByte);
  const double copy_s = fastest([&] { to.copy_(from); });
  Machine host{.name = "cpu", .efficiency = kCpuEfficiency};
  host.float_flops = host.half_flops = measure_flops(at::kCPU, at::kFloat);
  host.memory_bytes_per_s = 2.0 * kBytes / copy_s;      // read and written
  host.link_bytes_per_s = host.memory_bytes_per_s / 4;  // into the segment and out of it
  host.memory_bytes = static_cast<double>(memory.available_bytes);
  host.is_host = true;
  return host;
}

}  // namespace

Machine common_host(int64_t threads) {
  constexpr double kCoreFlops = 80e9, kCoreBytesPerS = 10e9;
  Machine host{.name = "cpu", .efficiency = kCpuEfficiency};
  host.float_flops = host.half_flops = kCoreFlops * static_cast<double>(threads);
  host.memory_bytes_per_s = kCoreBytesPerS * static_cast<double>(threads);
  host.link_bytes_per_s = host.memory_bytes_per_s / 4;
  host.is_host = true;
  return host;
}

const Machine& nearest_machine(double half_flops) {
  return *std::ranges::min_element(
      kMachines, {}, [&](const Machine& one) { return std::abs(std::log(one.half_flops / half_flops)); });
}

double measure_flops(at::Device device, at::ScalarType type) {
  // A GPU wants large products, and several for the time of a launch and of the wait for their end not to
  // count.
  const int64_t side = device.is_cpu() ? 512 : 4096, times = device.is_cpu() ? 1 : 8;
  const at::NoGradGuard no_grad;
  const at::Tensor a = at::ones({side, side}, at::TensorOptions(device).dtype(type)), b = a.clone();
  const auto multiply = [&] {
    at::Tensor product;
    for (int64_t i = 0; i < times; ++i) product = at::mm(a, b);
    if (!device.is_cpu()) (void)product[0][0].cpu();  // waits
  };
  const auto operations = 2 * static_cast<double>(times) * std::pow(static_cast<double>(side), 3);
  return operations / fastest(multiply);
}

Result<Machine> find_machine(std::string_view name) {
  if (name == "cpu") return this_host();
  for (const Machine& machine : kMachines) {
    if (machine.name == name) return machine;
  }
  return fail(
      ErrorCode::InvalidArgument,
      fmt::format("there is no profile of a device '{}': cpu, a10g, a100, h100 and h200 are known", name));
}

}  // namespace zt::train
