// SPDX-License-Identifier: Apache-2.0
#include "cli/media_program.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>

#include "base/files/files.hpp"
#include "cli/sibling.hpp"

namespace zt::cli {

void add_media_verbs(CLI::App& app, Action& chosen, char* const* argv) {
  constexpr std::pair<const char*, const char*> kVerbs[] = {
      {"quickstart", kQuickstartHelp},
      {"data", kDataHelp},
      {"eval", kEvalHelp},
  };
  for (const auto& [name, help] : kVerbs) {
    auto* verb = app.add_subcommand(name, help);
    verb->set_help_flag();  // --help is the other program's too
    verb->prefix_command();
    verb->callback([&chosen, argv] {
      chosen = [argv]() -> Result<int> {
        ZT_TRY_ASSIGN(const auto program, find_sibling("zoetrope-media"));
        ::execv(program.c_str(), argv);
        return fail(files::errno_error("start", program, errno));
      };
    });
  }
}

}  // namespace zt::cli
