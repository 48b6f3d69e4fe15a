// SPDX-License-Identifier: Apache-2.0
// The instruction sets that the CPU kernels are compiled for, chosen when they run. A kernel that has them
// writes a function for each, marked ZT_AVX2 and ZT_AVX512, into which its loops are inlined.
#pragma once

namespace zt::nn::internal {

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define ZT_HAS_KERNELS 1
#define ZT_AVX2 __attribute__((target("avx2,fma")))
#define ZT_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))

inline bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
inline bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#else
inline bool has_avx2() { return false; }
inline bool has_avx512() { return false; }
#endif

/// Whether this CPU runs the kernels.
inline bool has_kernels() { return has_avx2(); }
/// Floats of a vector in them.
inline int vector_lanes() { return has_avx512() ? 16 : 8; }

}  // namespace zt::nn::internal
