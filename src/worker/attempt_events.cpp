// SPDX-License-Identifier: Apache-2.0
// See attempt_events.hpp.
#include "worker/attempt_events.hpp"

#include "base/host_name.hpp"
#include "contract/exit_codes.hpp"

namespace zt::worker {

contract::AttemptStarted started(at::Device device) {
  contract::AttemptStarted event;
  event.host = host_name();
  event.pid = ::getpid();
  event.device = device.str();
  return event;
}

contract::AttemptStarted started(const train::Setup& setup) {
  contract::AttemptStarted event = started(setup.device);
  event.world_size = setup.ranks.size();
  event.threads = static_cast<int64_t>(setup.num_threads);
  event.from_step = setup.cursor.step;
  event.checkpoint = setup.is_from_memory ? "memory" : setup.checkpoint;
  return event;
}

contract::AttemptFinished finished(const Result<int>& code, int64_t step) {
  contract::AttemptFinished event;
  event.step = step;
  if (code) {
    event.outcome = *code == contract::kExitOk ? "completed" : "stopped";
    event.exit_code = *code;
    return event;
  }
  event.outcome = "failed";
  event.exit_code = contract::exit_code(code.error());
  event.error_code = name(code.error().code);
  event.message = code.error().text();
  return event;
}

}  // namespace zt::worker
