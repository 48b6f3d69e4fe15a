// SPDX-License-Identifier: Apache-2.0
// What this host is called.
#pragma once

#include <string>

namespace zt {

/// The system's name for it; what messages, locks and events say.
std::string host_name();

}  // namespace zt
