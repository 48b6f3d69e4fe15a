// SPDX-License-Identifier: Apache-2.0
// ZT_TARGET_CLONES("fma", "default") before a function: GCC compiles it once per instruction set, and the
// best one that the CPU has is picked when the program starts.
#pragma once

// The thread sanitizer can't run what picks; clang 14 does not know the attribute.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define ZT_TARGET_CLONES(...) __attribute__((target_clones(__VA_ARGS__)))
#else
#define ZT_TARGET_CLONES(...)
#endif
