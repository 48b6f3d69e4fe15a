// SPDX-License-Identifier: Apache-2.0
// A run as one page: how it stands, its curves, its clips, what happened, and its configuration. Read from
// the run folder alone, so it can be made at any time, also while the run goes on.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "contract/metrics.hpp"
#include "contract/run_folder.hpp"
#include "report/chart.hpp"

namespace zt::report {

/// A further part of the page, e.g. the evaluation; `html` is a body fragment.
struct Section {
  std::string title;
  std::string html;
};

/// The page of a run. `extra` comes after the facts, before the curves.
Result<std::string> run_page(const contract::RunFolder& run, const std::vector<Section>& extra = {});

/// Writes run_page() to <run>/report.html.
Status write_run_report(const contract::RunFolder& run);

/// Which series share a chart: those with the same words before the last '/', "train/loss" and its smoothed
/// form by themselves. Pure.
std::vector<Chart> charts_of(const contract::MetricSeries& series);

}  // namespace zt::report
