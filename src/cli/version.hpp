// SPDX-License-Identifier: Apache-2.0
// Which code this is.
#pragma once

#include <string>

namespace zt::cli {

/// "0.1.0+60b0e40": the release and, when built from a git checkout, the commit ("-dirty" with local
/// changes).
std::string code_version();
/// "zoetrope 0.1.0+60b0e40".
std::string version_text();

}  // namespace zt::cli
