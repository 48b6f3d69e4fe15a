// SPDX-License-Identifier: Apache-2.0
// See nccl_library.hpp.
#include "dist/nccl_library.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

namespace zt::dist {
namespace {

constexpr const char* kLibrary = "libnccl.so.2";

template <class Function>
Status find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function != nullptr) return {};
  return fail(ErrorCode::Unsupported, fmt::format("{} has no {}: it is too old", kLibrary, name));
}

Result<NcclLibrary> open() {
  void* library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr)
    return fail(ErrorCode::Unsupported,
                fmt::format("ranks on GPUs need NCCL: run scripts/setup --cuda ({})", ::dlerror()));
  NcclLibrary nccl;
  ZT_TRY(find(library, "ncclGetUniqueId", nccl.get_unique_id));
  ZT_TRY(find(library, "ncclCommInitRankConfig", nccl.comm_init_rank));
  ZT_TRY(find(library, "ncclCommGetAsyncError", nccl.comm_get_async_error));
  ZT_TRY(find(library, "ncclCommAbort", nccl.comm_abort));
  ZT_TRY(find(library, "ncclGetLastError", nccl.get_last_error));
  ZT_TRY(find(library, "ncclGetErrorString", nccl.get_error_string));
  ZT_TRY(find(library, "ncclGroupStart", nccl.group_start));
  ZT_TRY(find(library, "ncclGroupEnd", nccl.group_end));
  ZT_TRY(find(library, "ncclSend", nccl.send));
  ZT_TRY(find(library, "ncclRecv", nccl.recv));
  ZT_TRY(find(library, "ncclAllGather", nccl.all_gather));
  ZT_TRY(find(library, "ncclBroadcast", nccl.broadcast));
  return nccl;
}

}  // namespace

Result<const NcclLibrary*> nccl_library() {
  static const Result<NcclLibrary> nccl = open();
  if (!nccl) return fail(nccl.error());
  return &*nccl;
}

}  // namespace zt::dist
