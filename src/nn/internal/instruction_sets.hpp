// SPDX-License-Identifier: Apache-2.0
// The instruction sets that the CPU kernels are compiled for, chosen when they run.
#pragma once

namespace zt::nn::internal {

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define ZT_HAS_KERNELS 1

inline bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
inline bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
inline bool has_bf16_pairs() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
#else
inline bool has_avx2() { return false; }
inline bool has_avx512() { return false; }
inline bool has_bf16_pairs() { return false; }
#endif

/// Whether this CPU runs the kernels.
inline bool has_kernels() { return has_avx2(); }
/// Floats of a vector in them.
inline int vector_lanes() { return has_avx512() ? 16 : 8; }

#ifdef ZT_HAS_KERNELS
template <class Loops>
__attribute__((target("avx2,fma"))) void run_avx2(const Loops& loops) {
  loops.template operator()<8>();
}
template <class Loops>
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))) void run_avx512(const Loops& loops) {
  loops.template operator()<16>();
}
#endif

/// Calls loops.operator()<vector_lanes()>(), compiled for this CPU's instructions: an always_inline lambda
/// whose functions are all always_inline too. Nothing where there are no kernels.
template <class Loops>
void run_widest([[maybe_unused]] const Loops& loops) {
#ifdef ZT_HAS_KERNELS
  has_avx512() ? run_avx512(loops) : run_avx2(loops);
#endif
}

}  // namespace zt::nn::internal
