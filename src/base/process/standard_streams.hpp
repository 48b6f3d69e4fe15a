// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace zt::process {

/// Opens /dev/null in the place of each standard stream that this process was started without, as a daemon
/// may be (`<&- >&- 2>&-`): the next file that it opens would get the number, and log lines would go into it.
/// Call once, first thing in main.
void open_missing_streams();

}  // namespace zt::process
