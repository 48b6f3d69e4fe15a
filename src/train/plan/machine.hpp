// SPDX-License-Identifier: Apache-2.0
// What plans assume of the machine under a rank.
#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace zt::train {

struct Machine {
  std::string_view name = {};
  double float_flops = 0;         ///< fp32 operations per second, at the peak
  double half_flops = 0;          ///< bf16 and fp16
  double memory_bytes_per_s = 0;  ///< of the memory that weights and activations lie in
  double link_bytes_per_s = 0;    ///< between ranks, one direction
  double efficiency = 0;          ///< share of the peak that a UNet's step reaches
  double memory_bytes = 0;
  double bus_bytes_per_s = 0;  ///< between a GPU's memory and its host's, one direction
  bool is_host = false;        ///< all ranks share it; else each has one
};

/// The makers' figures, dense: TF32 for fp32 operations as libtorch uses it for convolutions, half of
/// NVLink's two directions (A10G: PCIe 4.0 x16, of which 80 % is had). Efficiency: an SD 2 UNet's step on
/// A100 (MosaicML, 137 pictures/s at 256 x 256) is 24 % of the peak. Bus: 80 % of PCIe 4.0 or 5.0 x16.
inline constexpr double kUNetEfficiency = 0.24;
/// Of a matrix product's speed on CPUs: an estimate, not calibrated; convolutions of narrow networks, norms
/// and copies reach less.
inline constexpr double kCpuEfficiency = 0.35;
inline constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;
inline constexpr std::array<Machine, 4> kMachines = {{
    {"a10g", 35e12, 70e12, 600e9, 25e9, kUNetEfficiency, 22.5 * kGiB, 25e9},
    {"a100", 156e12, 312e12, 2039e9, 300e9, kUNetEfficiency, 79.2 * kGiB, 25e9},
    {"h100", 494e12, 989e12, 3350e9, 450e9, kUNetEfficiency, 79.2 * kGiB, 50e9},
    {"h200", 494e12, 989e12, 4800e9, 450e9, kUNetEfficiency, 139.8 * kGiB, 50e9},
}};
/// What GPUs are in: so many of them, and memory of 300 GB/s for all (two sockets of eight channels DDR4-3200
/// reach some three quarters of 410).
inline constexpr double kGpusPerHost = 8;
inline constexpr double kHostBytesPerS = 300e9;

/// A host of common server cores, of which all ranks together use `threads`: 2.5 GHz with two AVX2 units for
/// 16 multiplications and additions, and a share of the memory's bandwidth each. For a figure before a run,
/// which is not worth the time of measuring.
Machine common_host(int64_t threads);
/// Of kMachines the one whose 16-bit operations per second are nearest to what a GPU has.
const Machine& nearest_machine(double half_flops);

/// Operations per second of a matrix product there, on a CPU with the threads that libtorch has now; measured
/// in some 20 ms.
double measure_flops(at::Device device, at::ScalarType type);

/// The machine of that name; "cpu" is this host, measured for a few hundredths of a second. Errors:
/// InvalidArgument for an unknown name; those of resources::memory().
Result<Machine> find_machine(std::string_view name);

}  // namespace zt::train
