// SPDX-License-Identifier: Apache-2.0
// diffusers' step_rules, e.g. "1:10,0.1:20,0.01:30,0.005": factor 1 before step 10, 0.1 before step 20, ...
// then 0.005.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::config {

/// One piece of a piecewise constant schedule.
struct StepRule {
  double factor = 1;       ///< of the learning rate
  int64_t until_step = 0;  ///< first step the factor does not hold for
};
struct StepRules {
  std::vector<StepRule> rules;  ///< by until_step
  double final_factor = 1;      ///< after the last
};
/// Errors: InvalidConfig, naming the piece that is not "factor:step".
Result<StepRules> parse_step_rules(std::string_view text);

/// Why a text is none; empty if it is, or is empty. For About::problem.
std::string step_rules_problem(const std::string& text);

}  // namespace zt::config
