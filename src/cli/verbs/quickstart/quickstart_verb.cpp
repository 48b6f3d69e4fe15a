// SPDX-License-Identifier: Apache-2.0
// zoetrope quickstart: the main job from nothing.
#include <CLI/CLI.hpp>
#include <memory>

#include "cli/verbs/quickstart/quickstart.hpp"
#include "cli/verbs/verbs.hpp"

namespace zt::cli {

void add_quickstart(CLI::App& app, Action& chosen) {
  const auto options = std::make_shared<QuickstartOptions>();
  auto* verb = app.add_subcommand("quickstart", kQuickstartHelp);
  verb->add_option("--folder", options->folder, "Everything is written here")->capture_default_str();
  verb->add_option("--recipes", options->recipes, "Folder with other recipes than configs/quickstart");
  verb->footer("What is complete is not done again: an interrupted quickstart goes on where it stopped.");
  verb->callback([=, &chosen] { chosen = [=] { return quickstart(*options); }; });
}

}  // namespace zt::cli
