// SPDX-License-Identifier: Apache-2.0
// See nccl_library.hpp.
#include "dist/backends/nccl_library.hpp"

#include "base/process/library.hpp"

namespace zt::dist {
namespace {

Result<NcclLibrary> open() {
  ZT_TRY_ASSIGN(const Library library,
                Library::open({"libnccl.so.2"}, "ranks on GPUs need NCCL: run scripts/setup --cuda"));
  NcclLibrary nccl;
  ZT_TRY(library.find("ncclGetUniqueId", nccl.get_unique_id));
  ZT_TRY(library.find("ncclCommInitRankConfig", nccl.comm_init_rank));
  ZT_TRY(library.find("ncclCommGetAsyncError", nccl.comm_get_async_error));
  ZT_TRY(library.find("ncclCommAbort", nccl.comm_abort));
  ZT_TRY(library.find("ncclGetLastError", nccl.get_last_error));
  ZT_TRY(library.find("ncclGetErrorString", nccl.get_error_string));
  ZT_TRY(library.find("ncclGroupStart", nccl.group_start));
  ZT_TRY(library.find("ncclGroupEnd", nccl.group_end));
  ZT_TRY(library.find("ncclSend", nccl.send));
  ZT_TRY(library.find("ncclRecv", nccl.recv));
  ZT_TRY(library.find("ncclAllGather", nccl.all_gather));
  ZT_TRY(library.find("ncclBroadcast", nccl.broadcast));
  return nccl;
}

}  // namespace

Result<const NcclLibrary*> nccl_library() {
  static const Result<NcclLibrary> nccl = open();
  if (!nccl) return fail(nccl.error());
  return &*nccl;
}

}  // namespace zt::dist
