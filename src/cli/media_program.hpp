// SPDX-License-Identifier: Apache-2.0
// The verbs that live in zoetrope-media, as `zoetrope` sees them: names in its help, and a hand-over of the
// whole command line.
#pragma once

#include "cli/verbs/verbs.hpp"

namespace zt::cli {

/// `argv` is the program's own, ending with a null pointer; the action replaces this process and so returns
/// only an error: NotFound if zoetrope-media is not installed beside this program or in ../libexec/zoetrope.
void add_media_verbs(CLI::App& app, Action& chosen, char* const* argv);

}  // namespace zt::cli
