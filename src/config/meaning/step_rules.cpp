// SPDX-License-Identifier: Apache-2.0
#include "config/meaning/step_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text/text.hpp"

namespace zt::config {
namespace {

template <class T>
bool parse_whole(std::string_view text, T& value) {
  const auto number = text::to_number<T>(text);
  if (!number || !std::isfinite(static_cast<double>(*number))) return false;
  value = *number;
  return true;
}

}  // namespace

Result<StepRules> parse_step_rules(std::string_view text) {
  StepRules out;
  for (;;) {
    const size_t comma = text.find(',');
    const std::string_view piece = text.substr(0, comma);
    if (comma == std::string_view::npos) {
      if (!parse_whole(piece, out.final_factor))
        return fail(
            ErrorCode::InvalidConfig,
            fmt::format("the last of the step rules, '{}', is not a factor (e.g. 1:10,0.1:20,0.01)", piece));
      break;
    }
    const size_t colon = piece.find(':');
    StepRule rule;
    if (colon == std::string_view::npos || !parse_whole(piece.substr(0, colon), rule.factor) ||
        !parse_whole(piece.substr(colon + 1), rule.until_step))
      return fail(ErrorCode::InvalidConfig,
                  fmt::format("step rule '{}' is not factor:step (e.g. 1:10,0.1:20,0.01)", piece));
    out.rules.push_back(rule);
    text.remove_prefix(comma + 1);
  }
  std::stable_sort(out.rules.begin(), out.rules.end(),
                   [](const StepRule& a, const StepRule& b) { return a.until_step < b.until_step; });
  return out;
}

std::string step_rules_problem(const std::string& text) {
  if (text.empty()) return {};
  const auto rules = parse_step_rules(text);
  return rules ? "" : rules.error().message;
}

}  // namespace zt::config
