// SPDX-License-Identifier: Apache-2.0
// zoetrope report: a run as one page.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/options/job_options.hpp"
#include "cli/output/output.hpp"
#include "cli/verbs/verbs.hpp"
#include "report/run_report.hpp"

namespace zt::cli {

void add_report(CLI::App& app, Action& chosen) {
  struct ReportOptions {
    std::string runs_folder = "runs";
    std::string run = "latest";
  };
  const auto options = std::make_shared<ReportOptions>();
  auto* verb = app.add_subcommand("report", "Write a run's report.html");
  verb->add_option("RUN", options->run, kRunHelp)->capture_default_str();
  verb->footer("Example: zoetrope report latest      (prints where the page is)");
  add_runs_folder(*verb, options->runs_folder);
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
