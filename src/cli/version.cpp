// SPDX-License-Identifier: Apache-2.0
#include "cli/version.hpp"

#include "zt_version.hpp"  // written by cmake/version.cmake at build time

namespace zt::cli {

std::string code_version() {
  const std::string commit = ZT_GIT_COMMIT;
  return commit.empty() ? ZT_RELEASE : ZT_RELEASE "+" + commit;
}

std::string version_text() { return "zoetrope " + code_version(); }

}  // namespace zt::cli
