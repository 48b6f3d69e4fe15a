// SPDX-License-Identifier: Apache-2.0
// All that nccl.h needs of CUDA's own headers, so that the backend compiles without a toolkit.
#pragma once

#include <stddef.h>

typedef struct CUstream_st* cudaStream_t;
