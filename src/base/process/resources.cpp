// SPDX-License-Identifier: Apache-2.0
#include "base/process/resources.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <thread>
#include <vector>

#include "base/files/files.hpp"
#include "base/text/text.hpp"

namespace zt::resources {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kSmallFile = 1 << 20;
// cgroup v1 writes "no limit" as a page-rounded 2^63; nothing real is above this.
constexpr uint64_t kNoLimit = uint64_t{1} << 60;

std::optional<uint64_t> parse_number(std::string_view text) {
  return text::to_number<uint64_t>(text::trim(text));
}

std::optional<uint64_t> number_in(const fs::path& path) {
  const auto text = files::read(path, kSmallFile);
  return text ? parse_number(*text) : std::nullopt;
}

// The value of "Key:   123 kB" (meminfo) or "key 123" (memory.stat) in bytes of the file's unit.
std::optional<uint64_t> field(std::string_view file, std::string_view key) {
  for (const auto& line : text::split(file, '\n')) {
    if (!line.starts_with(key)) continue;
    std::string_view rest = text::trim(std::string_view(line).substr(key.size()));
    return parse_number(rest.substr(0, rest.find(' ')));
  }
  return std::nullopt;
}

// One controller's view of this process: its cgroup folder and every folder above it may carry a limit.
std::vector<fs::path> cgroup_folders(const fs::path& root, std::string_view v1_controller) {
  std::vector<fs::path> out;
  const auto self = files::read(root / "proc/self/cgroup", kSmallFile);
  const fs::path mount = root / "sys/fs/cgroup";
  if (!self) return out;
  for (const auto& line : text::split(*self, '\n')) {
    const auto parts = text::split(line, ':');
    if (parts.size() != 3) continue;
    const auto controllers = text::split(parts[1], ',');
    const bool is_v2 = parts[0] == "0" && parts[1].empty();
    const bool is_v1 = std::find(controllers.begin(), controllers.end(), v1_controller) != controllers.end();
    if (!is_v1 && !is_v2) continue;
    const fs::path base = is_v2 ? mount : mount / v1_controller;
    for (fs::path p = fs::path(parts[2]).relative_path(); !p.empty(); p = p.parent_path())
      out.push_back(base / p);
    out.push_back(base);  // inside a container the process's own group is mounted as the root
  }
  return out;
}

struct Limit {
  uint64_t limit;
  uint64_t used;
};

std::optional<Limit> memory_limit(const fs::path& folder) {
  auto limit = number_in(folder / "memory.max");
  auto used = number_in(folder / "memory.current");
  std::string_view reclaimable = "inactive_file ";
  if (!limit) {
    limit = number_in(folder / "memory.limit_in_bytes");
    used = number_in(folder / "memory.usage_in_bytes");
    reclaimable = "total_inactive_file ";
  }
  if (!limit || !used || *limit >= kNoLimit) return std::nullopt;
  // The page cache counts as used but is given up before anything is killed.
  uint64_t cache = 0;
  if (const auto stat = files::read(folder / "memory.stat", kSmallFile))
    cache = field(*stat, reclaimable).value_or(0);
  return Limit{*limit, *used - std::min(*used, cache)};
}

// Cores of a quota file pair, 0 when there is none.
double quota_cores(const fs::path& folder) {
  if (const auto text = files::read(folder / "cpu.max", kSmallFile)) {
    const auto parts = text::split(text::trim(*text), ' ');
    if (parts.size() != 2) return 0;
    const auto quota = parse_number(parts[0]), period = parse_number(parts[1]);
    return quota && period && *period > 0 ? static_cast<double>(*quota) / static_cast<double>(*period) : 0;
  }
  const auto quota = number_in(folder / "cpu.cfs_quota_us"), period = number_in(folder / "cpu.cfs_period_us");
  return quota && period && *period > 0 ? static_cast<double>(*quota) / static_cast<double>(*period) : 0;
}

}  // namespace

Result<Memory> memory(const fs::path& root) {
  ZT_TRY_ASSIGN(const std::string info, files::read(root / "proc/meminfo", kSmallFile));
  const auto total = field(info, "MemTotal:"), available = field(info, "MemAvailable:");
  if (!total || !available)
    return fail(ErrorCode::Unavailable, "/proc/meminfo has no MemTotal or MemAvailable");
  Memory memory{*total * 1024, *available * 1024, false};
  for (const auto& folder : cgroup_folders(root, "memory")) {
    const auto limit = memory_limit(folder);
    if (!limit) continue;
    const uint64_t left = limit->limit - std::min(limit->limit, limit->used);
    memory.is_limited_by_cgroup = memory.is_limited_by_cgroup || left < memory.available_bytes;
    memory.total_bytes = std::min(memory.total_bytes, limit->limit);
    memory.available_bytes = std::min(memory.available_bytes, left);
  }
  return memory;
}

int cores(const fs::path& root) {
  cpu_set_t set;
  CPU_ZERO(&set);
  int count = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
  for (const auto& folder : cgroup_folders(root, "cpu")) {
    const double quota = quota_cores(folder);
    if (quota > 0 && quota < count)
      count = static_cast<int>(quota) + (quota > static_cast<int>(quota) ? 1 : 0);
  }
  return std::max(count, 1);
}

bool cores_are_free(const fs::path& root) {
  constexpr int kLooks = 10;
  constexpr std::chrono::milliseconds kBetween(3);
  for (int look = 0; look < kLooks; ++look) {
    if (look > 0) std::this_thread::sleep_for(kBetween);
    const auto stat = files::read(root / "proc/stat", kSmallFile);
    const auto running = stat ? field(*stat, "procs_running ") : std::nullopt;
    if (running && *running <= 1) return true;  // who looks runs, too
  }
  return false;
}

uint64_t product(std::initializer_list<int64_t> factors) {
  uint64_t out = 1;
  for (const int64_t factor : factors) out *= static_cast<uint64_t>(factor);
  return out;
}

Demand Demand::floats(std::string_view what, std::initializer_list<int64_t> factors) {
  const uint64_t numbers = product(factors);
  return {fmt::format("{} ({} x {} B)", what, numbers, kFloatBytes), numbers * kFloatBytes};
}

Status require(std::string_view resource, std::span<const Demand> demands, uint64_t available_bytes,
               std::string_view advice) {
  uint64_t sum = 0;
  std::string terms;
  for (const auto& demand : demands) {
    sum = demand.bytes > std::numeric_limits<uint64_t>::max() - sum ? std::numeric_limits<uint64_t>::max()
                                                                    : sum + demand.bytes;
    terms += fmt::format("\n  {:>10}  {}", text::bytes(demand.bytes), demand.what);
  }
  if (sum <= available_bytes) return {};
  return fail(ErrorCode::Exhausted,
              fmt::format("not enough {}: {} needed, {} available{}\n{}", resource, text::bytes(sum),
                          text::bytes(available_bytes), terms, advice));
}

Status require_memory(std::span<const Demand> demands, std::string_view advice) {
  ZT_TRY_ASSIGN(const Memory now, memory());
  return require(now.is_limited_by_cgroup ? "memory (limited by the cgroup)" : "memory", demands,
                 now.available_bytes, advice);
}

Status require_disk(const fs::path& path, std::span<const Demand> demands, std::string_view advice) {
  ZT_TRY_ASSIGN(const uint64_t free, files::free_bytes(path));
  return require("disk space at " + path.string(), demands, free, advice);
}

}  // namespace zt::resources
