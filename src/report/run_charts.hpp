// SPDX-License-Identifier: Apache-2.0
// Which charts a run's metrics make, and where the time of its steps goes. Pure.
#pragma once

#include <string>
#include <vector>

#include "contract/metrics.hpp"
#include "report/chart.hpp"

namespace zt::report {

/// Which series share a chart: those with the same words before the last '/', "train/loss" and its smoothed
/// form by themselves.
std::vector<Chart> charts_of(const contract::MetricSeries& series);

/// A part of the mean step.
struct TimeShare {
  std::string name;
  double seconds = 0;
};
/// The parts of time/step_s that are measured, in the order in which a step does them, and what is left of it
/// as "rest". Empty without time/step_s.
std::vector<TimeShare> time_of_a_step(const contract::MetricSeries& series);

}  // namespace zt::report
