// SPDX-License-Identifier: Apache-2.0
// zoetrope report: a run as one page.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "report/run_report.hpp"

namespace zt::cli {

void add_report(CLI::App& app, Action& chosen) {
  struct Options {
    std::string runs_folder = "runs";
    std::string run = "latest";
  };
  const auto options = std::make_shared<Options>();
  auto* verb = app.add_subcommand("report", "Write a run's report.html");
  verb->add_option("RUN", options->run, "Run id, a unique beginning of it, a path, or 'latest'")
      ->capture_default_str();
  verb->add_option("--runs-dir", options->runs_folder, "Folder of the runs")->capture_default_str();
  verb->callback([=, &chosen] {
    chosen = [=]() -> Result<int> {
      ZT_TRY_ASSIGN(const auto run, contract::RunFolder::find(options->runs_folder, options->run));
      ZT_TRY(report::write_run_report(run));
      print(run.report().string() + "\n");
      return 0;
    };
  });
}

}  // namespace zt::cli
