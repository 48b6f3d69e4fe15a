// SPDX-License-Identifier: Apache-2.0
// See rank_environment.hpp.
#include "contract/rank_environment.hpp"

#include <fmt/format.h>

#include <limits>

#include "base/limits.hpp"
#include "base/process/process.hpp"
#include "base/text/text.hpp"

namespace zt::contract {
namespace {

constexpr size_t kMaxHosts = 65536;
constexpr const char* kExplicit = "or say --rank R --ranks N --rendezvous HOST:PORT, which count for more";

class Variables {
 public:
  explicit Variables(const Environment& environment) : all_(environment) {}

  std::string text(std::string_view name) const {
    const auto found = all_.find(name);
    return found == all_.end() ? std::string() : found->second;
  }
  bool has(std::string_view name) const { return !text(name).empty(); }
  /// None if it is not set. Errors: InvalidArgument unless it is a number in [least, most].
  Result<std::optional<int64_t>> number(std::string_view name, int64_t least, int64_t most) const {
    if (!has(name)) return std::optional<int64_t>{};
    const std::optional<int64_t> number = text::to_number<int64_t>(text(name));
    if (number && *number >= least && *number <= most) return number;
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format(
            "{}={} in the environment: wanted a whole number from {} to {}; unset it or correct it, {}", name,
            text(name), least, most, kExplicit));
  }
  /// As number(), of a variable that has to be there because `because` is.
  Result<int64_t> needed(std::string_view name, int64_t least, int64_t most, std::string_view because) const {
    ZT_TRY_ASSIGN(const auto found, number(name, least, most));
    if (found) return *found;
    return fail(ErrorCode::InvalidArgument,
                fmt::format("{}={} is in the environment and {} is not: set both or neither, {}", because,
                            text(because), name, kExplicit));
  }
  tl::unexpected<Error> contradiction(std::string_view one, std::string_view other) const {
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("{}={} and {}={} in the environment contradict each other: unset or correct them, {}",
                    one, text(one), other, text(other), kExplicit));
  }

 private:
  const Environment& all_;
};

Result<std::optional<EnvironmentPlace>> place_of_torch(const Variables& variables) {
  ZT_TRY_ASSIGN(const int64_t rank, variables.needed("RANK", 0, kMaxRanks - 1, "WORLD_SIZE"));
  ZT_TRY_ASSIGN(const int64_t ranks, variables.needed("WORLD_SIZE", 1, kMaxRanks, "RANK"));
  if (rank >= ranks) return variables.contradiction("RANK", "WORLD_SIZE");
  ZT_TRY_ASSIGN(const auto local_rank, variables.number("LOCAL_RANK", 0, kMaxRanks - 1));
  ZT_TRY_ASSIGN(const auto local_ranks, variables.number("LOCAL_WORLD_SIZE", 1, kMaxRanks));
  if (local_ranks > ranks) return variables.contradiction("LOCAL_WORLD_SIZE", "WORLD_SIZE");
  if (local_rank > rank) return variables.contradiction("LOCAL_RANK", "RANK");
  if (local_rank && local_ranks && local_rank >= local_ranks)
    return variables.contradiction("LOCAL_RANK", "LOCAL_WORLD_SIZE");
  ZT_TRY(variables.number("MASTER_PORT", 0, std::numeric_limits<uint16_t>::max()));
  ZT_TRY_ASSIGN(const auto restarts,
                variables.number("TORCHELASTIC_RESTART_COUNT", 0, std::numeric_limits<int64_t>::max()));
  EnvironmentPlace place;
  place.rank = rank;
  place.ranks = ranks;
  place.is_one_host = local_ranks == ranks;
  place.is_child = variables.has("TORCHELASTIC_RUN_ID");
  place.first_host = variables.text("MASTER_ADDR");
  place.launch = fmt::format("torch {} {} {} {}", variables.text("TORCHELASTIC_RUN_ID"), place.first_host,
                             variables.text("MASTER_PORT"), restarts.value_or(0));
  place.origin = fmt::format("RANK={} and WORLD_SIZE={}", rank, ranks);
  return std::optional(std::move(place));
}

Result<std::optional<EnvironmentPlace>> place_of_open_mpi(const Variables& variables) {
  constexpr const char *kRank = "OMPI_COMM_WORLD_RANK", *kSize = "OMPI_COMM_WORLD_SIZE";
  ZT_TRY_ASSIGN(const int64_t rank, variables.needed(kRank, 0, kMaxRanks - 1, kSize));
  ZT_TRY_ASSIGN(const int64_t ranks, variables.needed(kSize, 1, kMaxRanks, kRank));
  if (rank >= ranks) return variables.contradiction(kRank, kSize);
  ZT_TRY_ASSIGN(const auto local_ranks, variables.number("OMPI_COMM_WORLD_LOCAL_SIZE", 1, kMaxRanks));
  if (local_ranks > ranks) return variables.contradiction("OMPI_COMM_WORLD_LOCAL_SIZE", kSize);
  EnvironmentPlace place;
  place.rank = rank;
  place.ranks = ranks;
  place.is_one_host = local_ranks == ranks;
  place.is_child = true;
  place.launch = fmt::format("mpi {}", variables.text("PMIX_NAMESPACE"));
  place.origin = fmt::format("{}={} and {}={}", kRank, rank, kSize, ranks);
  return std::optional(std::move(place));
}

/// Of other MPIs it is not known what tells one launch from another.
Status refuse_other_mpi(const Variables& variables) {
  ZT_TRY_ASSIGN(const auto ranks, variables.number("PMI_SIZE", 0, kMaxRanks));
  if (ranks.value_or(1) <= 1) return {};
  return fail(
      ErrorCode::InvalidArgument,
      fmt::format("PMI_RANK={} and PMI_SIZE={} in the environment: of the MPIs only Open MPI's mpirun is "
                  "built: start the ranks by `zoetrope train --hosts`, srun or torchrun, {}",
                  variables.text("PMI_RANK"), *ranks, kExplicit));
}

Result<std::optional<EnvironmentPlace>> place_of_slurm(const Variables& variables) {
  ZT_TRY_ASSIGN(const int64_t rank, variables.needed("SLURM_PROCID", 0, kMaxRanks - 1, "SLURM_STEP_ID"));
  ZT_TRY_ASSIGN(const int64_t ranks, variables.needed("SLURM_NTASKS", 1, kMaxRanks, "SLURM_PROCID"));
  if (rank >= ranks) return variables.contradiction("SLURM_PROCID", "SLURM_NTASKS");
  ZT_TRY_ASSIGN(const auto tasks, variables.number("SLURM_STEP_NUM_TASKS", 1, kMaxRanks));
  if (tasks && tasks != ranks) return variables.contradiction("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS");
  ZT_TRY_ASSIGN(const auto local_rank, variables.number("SLURM_LOCALID", 0, kMaxRanks - 1));
  if (local_rank > rank) return variables.contradiction("SLURM_LOCALID", "SLURM_PROCID");
  ZT_TRY_ASSIGN(const int64_t job,
                variables.needed("SLURM_JOB_ID", 0, std::numeric_limits<int64_t>::max(), "SLURM_PROCID"));
  ZT_TRY_ASSIGN(const auto restarts,
                variables.number("SLURM_RESTART_COUNT", 0, std::numeric_limits<int64_t>::max()));
  const char* list_name = variables.has("SLURM_STEP_NODELIST") ? "SLURM_STEP_NODELIST" : "SLURM_JOB_NODELIST";
  auto hosts = expand_node_list(variables.text(list_name));
  if (!hosts) return fail(std::move(hosts.error()).with(fmt::format("while reading {}", list_name)));
  ZT_TRY_ASSIGN(const auto node, variables.number("SLURM_NODEID", 0, kMaxRanks));
  if (node >= static_cast<int64_t>(hosts->size())) return variables.contradiction("SLURM_NODEID", list_name);
  EnvironmentPlace place;
  place.rank = rank;
  place.ranks = ranks;
  place.is_one_host = hosts->size() == 1;
  place.host = variables.text("SLURMD_NODENAME");
  place.first_host = hosts->front();
  place.launch = fmt::format("slurm {}.{} {}", job, variables.text("SLURM_STEP_ID"), restarts.value_or(0));
  place.origin = fmt::format("SLURM_PROCID={} and SLURM_NTASKS={}", rank, ranks);
  return std::optional(std::move(place));
}

Error no_list(std::string_view list) {
  return {ErrorCode::InvalidArgument,
          fmt::format("'{}' is not a list of hosts of the form n[01-03,7],m2 with at most {} hosts", list,
                      kMaxHosts)};
}

/// "01-03" behind `prefix`: appended to `hosts`. False if it is no range, or too long.
bool append_range(std::string_view prefix, std::string_view range, std::vector<std::string>& hosts) {
  const size_t dash = range.find('-');
  const std::string_view first = range.substr(0, dash);
  const std::string_view last = dash == std::string_view::npos ? first : range.substr(dash + 1);
  const auto begin = text::to_number<int64_t>(first);
  const auto end = text::to_number<int64_t>(last);
  if (!begin || !end || *begin < 0 || *end < *begin ||
      static_cast<uint64_t>(*end - *begin) >= kMaxHosts - hosts.size())
    return false;
  for (int64_t i = *begin; i <= *end; ++i) hosts.push_back(fmt::format("{}{:0{}}", prefix, i, first.size()));
  return true;
}

/// One comma-separated part, e.g. "n[01-03,7]".
bool append_part(std::string_view part, std::vector<std::string>& hosts) {
  const size_t open = part.find('[');
  const std::string_view prefix = part.substr(0, open);
  if (prefix.empty() || prefix.find(']') != std::string_view::npos || hosts.size() >= kMaxHosts) return false;
  if (open == std::string_view::npos) {
    hosts.emplace_back(prefix);
    return true;
  }
  if (part.back() != ']') return false;
  std::string_view ranges = part.substr(open + 1, part.size() - open - 2);
  for (;;) {
    const size_t comma = ranges.find(',');
    if (!append_range(prefix, ranges.substr(0, comma), hosts)) return false;
    if (comma == std::string_view::npos) return true;
    ranges.remove_prefix(comma + 1);
  }
}

}  // namespace

Environment environment_of_process() { return process::environment(); }

Result<std::optional<EnvironmentPlace>> place_in_environment(const Environment& environment) {
  const Variables variables(environment);
  if (variables.has("RANK") || variables.has("WORLD_SIZE")) return place_of_torch(variables);
  if (variables.has("LOCAL_RANK")) {
    ZT_TRY(variables.needed("RANK", 0, kMaxRanks - 1, "LOCAL_RANK"));
  }
  // mpirun starts its daemons, one a host, by srun: their ranks have the variables of both.
  if (variables.has("OMPI_COMM_WORLD_RANK") || variables.has("OMPI_COMM_WORLD_SIZE"))
    return place_of_open_mpi(variables);
  if (variables.has("SLURM_STEP_ID")) return place_of_slurm(variables);
  ZT_TRY(refuse_other_mpi(variables));
  return std::optional<EnvironmentPlace>{};
}

Result<std::vector<std::string>> expand_node_list(std::string_view list) {
  std::vector<std::string> hosts;
  size_t begin = 0;
  bool is_inside = false;
  for (size_t i = 0; i <= list.size(); ++i) {
    const char c = i < list.size() ? list[i] : ',';
    if (c == '[') is_inside = true;
    if (c == ']') is_inside = false;
    if (c != ',' || is_inside) continue;
    if (!append_part(list.substr(begin, i - begin), hosts)) return fail(no_list(list));
    begin = i + 1;
  }
  if (is_inside) return fail(no_list(list));
  return hosts;
}

}  // namespace zt::contract
