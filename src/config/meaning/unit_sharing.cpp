// SPDX-License-Identifier: Apache-2.0
#include "config/meaning/unit_sharing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text/text.hpp"
#include "config/internal/rules.hpp"

namespace zt::config {
namespace {

constexpr std::string_view kAmongAll = "/all";

std::vector<UnitRule> rules_of(const ParallelJob& job) {
  std::vector<UnitRule> rules;
  for (const std::string& text : job.units)
    if (auto rule = parse_unit_rule(text)) rules.push_back(std::move(*rule));
  return rules;
}

/// The ranks that share a unit of that stage.
int64_t sharing(const ParallelJob& job, int64_t stage, bool is_among_all, int64_t ranks) {
  if (stage == 0) return 1;
  return is_among_all || job.shard_ranks == 0 ? ranks : std::min(job.shard_ranks, ranks);
}

}  // namespace

Result<UnitRule> parse_unit_rule(std::string_view text) {
  const size_t equals = text.rfind('=');
  std::string_view stage = equals == std::string_view::npos ? "" : text.substr(equals + 1);
  UnitRule rule;
  rule.is_among_all = stage.ends_with(kAmongAll);
  if (rule.is_among_all) stage.remove_suffix(kAmongAll.size());
  if (equals == std::string_view::npos || equals == 0 || stage.size() != 1 || stage < "0" || stage > "3")
    return broken(
        fmt::format("parallel.units: wanted a part of units' names and a ZeRO stage, as in "
                    "\"mid_block=2\" or \"reference_unet=3/all\", found {}",
                    text::quoted(text)));
  rule.part = text.substr(0, equals);
  rule.stage = stage.front() - '0';
  return rule;
}

UnitSharing sharing_of(const ParallelJob& job, std::string_view unit, int64_t ranks) {
  int64_t stage = job.zero_stage;
  bool is_among_all = false;
  const std::vector<UnitRule> rules = rules_of(job);
  const auto rule = std::ranges::find_if(rules, [&](const UnitRule& one) { return one.is_for(unit); });
  if (rule != rules.end()) {
    stage = rule->stage;
    is_among_all = rule->is_among_all;
  }
  const bool is_kept_whole = std::ranges::any_of(
      job.keep_whole, [&](const std::string& part) { return unit.find(part) != std::string_view::npos; });
  if (is_kept_whole) stage = std::min<int64_t>(stage, 2);
  return {stage, sharing(job, stage, is_among_all, ranks)};
}

int64_t highest_stage(const ParallelJob& job) {
  int64_t highest = job.zero_stage;
  for (const UnitRule& rule : rules_of(job)) highest = std::max(highest, rule.stage);
  return highest;
}

int64_t most_sharing(const ParallelJob& job, int64_t ranks) {
  int64_t most = sharing(job, job.zero_stage, /*is_among_all=*/false, ranks);
  for (const UnitRule& rule : rules_of(job))
    most = std::max(most, sharing(job, rule.stage, rule.is_among_all, ranks));
  return most;
}

}  // namespace zt::config
