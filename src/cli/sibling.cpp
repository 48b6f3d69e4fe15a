// SPDX-License-Identifier: Apache-2.0
#include "cli/sibling.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "base/process/process.hpp"

namespace zt::cli {

namespace fs = std::filesystem;

Result<fs::path> find_sibling(const std::string& name) {
  ZT_TRY_ASSIGN(const fs::path here, process::program_folder());
  for (const fs::path& path : {here / name, here / "../libexec/zoetrope" / name})
    if (::access(path.c_str(), X_OK) == 0) return path;
  return fail(
      ErrorCode::NotFound,
      fmt::format(
          "{} is neither in {} nor in ../libexec/zoetrope: reinstall Zoetrope, or in a source tree run "
          "`cmake --workflow --preset dev` (the preset 'control' leaves out what needs libtorch)",
          name, here.string()));
}

}  // namespace zt::cli
