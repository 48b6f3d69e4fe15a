// SPDX-License-Identifier: Apache-2.0
// libnccl, opened when it is first wanted: a program that never sees a GPU never loads it.
#pragma once

#include <nccl.h>

#include "base/error.hpp"

namespace zt::dist {

/// NCCL's functions by their own names, without the prefix.
struct NcclLibrary {
  decltype(&::ncclGetUniqueId) get_unique_id = nullptr;
  decltype(&::ncclCommInitRankConfig) comm_init_rank = nullptr;
  decltype(&::ncclCommGetAsyncError) comm_get_async_error = nullptr;
  decltype(&::ncclCommAbort) comm_abort = nullptr;
  decltype(&::ncclGetLastError) get_last_error = nullptr;
  decltype(&::ncclGetErrorString) get_error_string = nullptr;
  decltype(&::ncclGroupStart) group_start = nullptr;
  decltype(&::ncclGroupEnd) group_end = nullptr;
  decltype(&::ncclSend) send = nullptr;
  decltype(&::ncclRecv) recv = nullptr;
  decltype(&::ncclAllGather) all_gather = nullptr;
  decltype(&::ncclBroadcast) broadcast = nullptr;
};

/// Errors: Unsupported if the library or one of its functions is not there, saying how to get it.
Result<const NcclLibrary*> nccl_library();

}  // namespace zt::dist
