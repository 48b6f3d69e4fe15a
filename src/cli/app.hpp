// SPDX-License-Identifier: Apache-2.0
// The command line of `zoetrope`: builds the argument tree, parses, runs the verb, and turns every outcome
// into output on the right stream and an exit code.
#pragma once

#include <functional>

#include "cli/verbs/verbs.hpp"

namespace zt::cli {

/// Hangs verbs onto the argument tree.
using Verbs = std::function<void(CLI::App&, Action&)>;

/// The program. Returns its exit code (contract/exit_codes.hpp).
int run(int argc, const char* const* argv, const Verbs& verbs);

}  // namespace zt::cli
