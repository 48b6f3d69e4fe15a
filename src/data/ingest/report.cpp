// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/ingest/ingest.hpp"

namespace zt::data {
namespace {

constexpr size_t kExamples = 3;

// The findings by reason, most frequent first, each with a few examples.
std::string grouped(const std::vector<Finding>& findings) {
  std::map<std::string, std::vector<const Finding*>> by_reason;
  for (const Finding& finding : findings) by_reason[finding.reason].push_back(&finding);
  std::vector<std::pair<std::string, std::vector<const Finding*>>> groups(by_reason.begin(), by_reason.end());
  std::stable_sort(groups.begin(), groups.end(),
                   [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  std::string text;
  for (const auto& [reason, members] : groups) {
    text += fmt::format("  {:<22} {:>7}\n", reason, members.size());
    for (size_t i = 0; i < std::min(kExamples, members.size()); ++i)
      text += fmt::format("    {}: {}\n", members[i]->what, members[i]->detail);
    if (members.size() > kExamples) text += fmt::format("    and {} more\n", members.size() - kExamples);
  }
  return text;
}

nlohmann::ordered_json listed(const std::vector<Finding>& findings) {
  auto list = nlohmann::ordered_json::array();
  for (const Finding& finding : findings)
    list.push_back({{"what", finding.what}, {"reason", finding.reason}, {"detail", finding.detail}});
  return list;
}

}  // namespace

bool Finding::may_pass() const {
  switch (code) {
    case ErrorCode::Permission:
    case ErrorCode::Unavailable:
    case ErrorCode::Timeout:
    case ErrorCode::Cancelled:
    case ErrorCode::Exhausted:
    case ErrorCode::Internal:
      return true;
    default:
      return false;
  }
}

std::map<std::string, int64_t> IngestReport::reasons() const {
  std::map<std::string, int64_t> counts;
  for (const Finding& reject : rejects) ++counts[reject.reason];
  return counts;
}

std::string IngestReport::text() const {
  std::string text = fmt::format("found      {:>7} videos\n", found);
  text += fmt::format("opened     {:>7}\n", opened);
  text += fmt::format("decoded    {:>7}\n", decoded);
  text += fmt::format("with pose  {:>7}\n", with_pose);
  text += fmt::format("in index   {:>7} clips, {} frames\n", clips, frames);
  if (unchanged > 0) text += fmt::format("unchanged  {:>7} videos since an earlier call\n", unchanged);
  if (!rejects.empty()) text += fmt::format("rejected   {:>7}\n", rejects.size()) + grouped(rejects);
  if (!remarks.empty()) text += fmt::format("remarks    {:>7}\n", remarks.size()) + grouped(remarks);
  return text;
}

std::string IngestReport::json() const {
  const nlohmann::ordered_json json = {{"index", index.string()},    {"found", found},
                                       {"opened", opened},           {"decoded", decoded},
                                       {"with_pose", with_pose},     {"clips", clips},
                                       {"frames", frames},           {"unchanged", unchanged},
                                       {"rejects", listed(rejects)}, {"remarks", listed(remarks)}};
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace zt::data
