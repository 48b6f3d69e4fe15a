// SPDX-License-Identifier: Apache-2.0
// See rank_group.hpp.
#include "cli/rank_group.hpp"

#include "base/error_policy.hpp"
#include "contract/exit_codes.hpp"

namespace zt::cli {

bool is_failure(const process::Exit& exit) {
  return exit.signal != 0 || (exit.code != 0 && exit.code != kExitResumable);
}

bool is_consequence(const process::Exit& exit) {
  return exit.signal == 0 && contract::error_of_exit(exit.code) == ErrorCode::PeerLost;
}

}  // namespace zt::cli
