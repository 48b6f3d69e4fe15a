// SPDX-License-Identifier: Apache-2.0
// See hosts.hpp.
#include "cli/launch/hosts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "base/text/text.hpp"

namespace zt::cli {
namespace {

constexpr int64_t kMaxSlots = 1024;

/// A number of ranks; none for any other text.
std::optional<int64_t> slots_of(std::string_view text) {
  const auto slots = text::to_number<int64_t>(text);
  return slots && *slots >= 1 && *slots <= kMaxSlots ? slots : std::nullopt;
}

/// A name that begins with a dash would be an option of ssh.
bool is_host_name(std::string_view name) {
  return !name.empty() && name.front() != '-' && name.find_first_of(" \t\r,:=\"'") == std::string_view::npos;
}

Status append(std::vector<HostSlots>& hosts, std::string_view name, int64_t slots) {
  const bool is_known = std::ranges::any_of(hosts, [&](const HostSlots& host) { return host.name == name; });
  if (is_known) return fail(ErrorCode::InvalidArgument, fmt::format("the host '{}' is named twice", name));
  hosts.push_back({std::string(name), slots});
  return {};
}

/// "a slots=4" -> {a, 4}; the name is empty if it is no such line.
HostSlots parse_line(std::string_view line) {
  const size_t name_end = line.find_first_of(" \t");
  const std::string_view name = line.substr(0, name_end);
  if (!is_host_name(name)) return {};
  if (name_end == std::string_view::npos) return {std::string(name), 1};
  constexpr std::string_view kSlots = "slots=";
  const std::string_view rest = text::trim(line.substr(name_end));
  const auto slots = rest.starts_with(kSlots) ? slots_of(rest.substr(kSlots.size())) : std::nullopt;
  return slots ? HostSlots{std::string(name), *slots} : HostSlots{};
}

/// SLURM_TASKS_PER_NODE: "2(x3),1" is 2, 2, 2, 1.
Result<std::vector<int64_t>> tasks_per_node(std::string_view text) {
  std::vector<int64_t> tasks;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view part = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const size_t open = part.find("(x");
    const auto slots = slots_of(part.substr(0, open));
    std::optional<int64_t> times = 1;
    if (open != std::string_view::npos)
      times = part.ends_with(')') ? slots_of(part.substr(open + 2, part.size() - open - 3)) : std::nullopt;
    if (!slots || !times)
      return fail(
          ErrorCode::InvalidArgument,
          fmt::format("SLURM_TASKS_PER_NODE={} is not of the form 2(x3),1: say --hosts slurm:N", text));
    tasks.insert(tasks.end(), static_cast<size_t>(*times), *slots);
  }
  return tasks;
}

}  // namespace

Result<std::vector<HostSlots>> parse_hosts(std::string_view text) {
  std::vector<HostSlots> hosts;
  for (std::string_view rest = text;;) {
    const size_t comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    const size_t colon = part.rfind(':');
    const std::string_view name = part.substr(0, colon);
    const auto slots =
        colon == std::string_view::npos ? std::optional<int64_t>(1) : slots_of(part.substr(colon + 1));
    if (!is_host_name(name) || !slots)
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("'{}' in '{}' is not a host: wanted HOST or HOST:RANKS with 1 to {} ranks; an "
                              "IPv6 address needs an alias in ssh's configuration",
                              part, text, kMaxSlots));
    ZT_TRY(append(hosts, name, *slots));
    if (comma == std::string_view::npos) return hosts;
    rest.remove_prefix(comma + 1);
  }
}

Result<std::vector<HostSlots>> parse_hostfile(std::string_view text) {
  std::vector<HostSlots> hosts;
  int64_t number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view raw = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    ++number;
    const std::string_view line = text::trim(raw.substr(0, raw.find('#')));
    if (line.empty()) continue;
    const HostSlots host = parse_line(line);
    if (host.name.empty())
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("line {}: wanted HOST slots=N with N from 1 to {}, found '{}'", number,
                              kMaxSlots, line));
    Status added = append(hosts, host.name, host.slots);
    if (!added) return fail(std::move(added.error()).with(fmt::format("in line {}", number)));
  }
  if (hosts.empty()) return fail(ErrorCode::InvalidArgument, "no line names a host");
  return hosts;
}

Result<std::vector<HostSlots>> hosts_of_slurm(const contract::Environment& environment, int64_t slots) {
  const auto text = [&](std::string_view name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::string() : found->second;
  };
  const std::string list = text("SLURM_JOB_NODELIST");
  if (list.empty())
    return fail(ErrorCode::InvalidArgument,
                "--hosts slurm: SLURM_JOB_NODELIST is not set, so this is not a Slurm job: call it from a "
                "script that sbatch runs, or inside salloc");
  auto names = contract::expand_node_list(list);
  if (!names) return fail(std::move(names.error()).with("while reading SLURM_JOB_NODELIST"));
  ZT_TRY_ASSIGN(std::vector<int64_t> tasks, tasks_per_node(text("SLURM_TASKS_PER_NODE")));
  if (slots > 0 || tasks.empty()) tasks.assign(names->size(), std::max<int64_t>(slots, 1));
  if (tasks.size() != names->size())
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format(
            "SLURM_TASKS_PER_NODE={} and SLURM_JOB_NODELIST={} contradict each other: say --hosts slurm:N",
            text("SLURM_TASKS_PER_NODE"), list));
  std::vector<HostSlots> hosts;
  for (size_t i = 0; i < tasks.size(); ++i) ZT_TRY(append(hosts, (*names)[i], tasks[i]));
  return hosts;
}

int64_t num_ranks(const std::vector<HostSlots>& hosts) {
  return std::accumulate(hosts.begin(), hosts.end(), int64_t{0},
                         [](int64_t sum, const HostSlots& host) { return sum + host.slots; });
}

}  // namespace zt::cli
