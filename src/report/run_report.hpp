// SPDX-License-Identifier: Apache-2.0
// A run as one page: what was trained and how it stands, its pictures and clips, its curves, where the time
// went, what happened, and its configuration. Read from the run folder alone, so it can be made at any time,
// also while the run goes on.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "contract/run_folder.hpp"

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

}  // namespace zt::report
