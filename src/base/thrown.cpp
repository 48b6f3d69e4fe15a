// SPDX-License-Identifier: Apache-2.0
// See thrown.hpp.
#include "base/thrown.hpp"

#include <new>
#include <system_error>

namespace zt {

Error error_of(const std::exception& thrown) {
  if (dynamic_cast<const std::bad_alloc*>(&thrown) != nullptr)
    return {ErrorCode::Exhausted, "memory ran out"};
  const auto* system = dynamic_cast<const std::system_error*>(&thrown);
  if (system != nullptr && system->code() == std::errc::resource_unavailable_try_again)  // std::thread's
    return {ErrorCode::Exhausted,
            "no further thread can be started: raise the limit of processes (`ulimit -u`, or the container's "
            "pids limit) or of memory (`ulimit -v`), or ask for fewer threads"};
  return {ErrorCode::Internal, thrown.what()};
}

}  // namespace zt
