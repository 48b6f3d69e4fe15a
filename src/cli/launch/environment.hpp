// SPDX-License-Identifier: Apache-2.0
// Where a run was submitted: what identity.json records about the machine.
#pragma once

#include <map>
#include <string>

namespace zt::cli {

/// host, kernel, cpu, cores, memory; what can't be found out is left out.
std::map<std::string, std::string> environment();

}  // namespace zt::cli
