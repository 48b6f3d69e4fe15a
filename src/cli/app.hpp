// SPDX-License-Identifier: Apache-2.0
// The command line of `zoetrope`: builds the argument tree, parses, runs the verb, and turns every outcome
// into output on the right stream and an exit code.
#pragma once

namespace zt::cli {

/// The program. Returns its exit code (contract/exit_codes.hpp).
int run(int argc, const char* const* argv);

}  // namespace zt::cli
