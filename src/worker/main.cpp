// SPDX-License-Identifier: Apache-2.0
// zoetrope-worker: the compute plane's program. Started by zoetrope; contract/worker_call.hpp says how.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/process/standard_streams.hpp"
#include "base/signals.hpp"
#include "contract/worker_call.hpp"
#include "tensor/memory.hpp"
#include "worker/guard.hpp"
#include "worker/job_verbs.hpp"
#include "worker/run_verbs.hpp"

namespace {

zt::Result<int> perform(std::span<const char* const> args) {
  ZT_TRY_ASSIGN(const zt::contract::WorkerCall call, zt::contract::parse_worker_call(args));
  return zt::contract::has_run(call.verb) ? zt::worker::run_launch(call) : zt::worker::run_job(call);
}

/// Leaves without the destructors of libtorch's statics: taking its operators apart one by one is 0.15 s of
/// every job, and the kernel takes back all at once. What the job itself holds is gone by now.
[[noreturn]] void leave(int code) {
  zt::log::flush();
  std::fflush(nullptr);
  std::quick_exit(code);
}

}  // namespace

int main(int argc, char** argv) {
  zt::process::open_missing_streams();
  zt::signals::install(zt::signals::OnNow::Exit);
  zt::tensor::keep_freed_memory();
  zt::tensor::install_counting_allocator();
  const std::vector<const char*> args(argv + 1, argv + argc);
  const zt::Result<int> code = zt::worker::guarded([&] { return perform(args); });
  leave(code ? *code : zt::worker::say_error(code.error()));
}
