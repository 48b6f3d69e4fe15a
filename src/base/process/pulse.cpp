// SPDX-License-Identifier: Apache-2.0
// See pulse.hpp; proc(5) has the fields of stat.
#include "base/process/pulse.hpp"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "base/files/files.hpp"
#include "base/text/text.hpp"

namespace zt::process {
namespace {

namespace fs = std::filesystem;
constexpr uint64_t kMaxStatBytes = 4096;

struct Stat {
  char state = 0;
  double cpu_s = 0;
};

std::optional<Stat> read_stat(const fs::path& file) {
  const auto text = files::read(file, kMaxStatBytes);
  // The program's name, in parentheses, may hold anything.
  const size_t name_end = text ? text->rfind(") ") : std::string::npos;
  if (name_end == std::string::npos) return std::nullopt;
  constexpr size_t kUserTicks = 11, kSystemTicks = 12;  // counted from the state, which is 0
  const auto fields = text::split(std::string_view(*text).substr(name_end + 2), ' ');
  if (fields.size() <= kSystemTicks || fields[0].size() != 1) return std::nullopt;
  const double ticks = std::strtod(std::string(fields[kUserTicks]).c_str(), nullptr) +
                       std::strtod(std::string(fields[kSystemTicks]).c_str(), nullptr);
  static const auto ticks_per_s = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return Stat{fields[0][0], ticks / ticks_per_s};
}

bool is_at_work(char state) { return state == 'R' || state == 'D'; }

bool has_active_thread(const fs::path& process) {
  std::error_code error;
  for (fs::directory_iterator thread(process / "task", error), end; !error && thread != end;
       thread.increment(error)) {
    const auto stat = read_stat(thread->path() / "stat");
    if (stat && is_at_work(stat->state)) return true;
  }
  return false;
}

}  // namespace

std::optional<Pulse> read_pulse(pid_t pid, const fs::path& proc) {
  const fs::path folder = proc / std::to_string(pid);
  const auto stat = read_stat(folder / "stat");
  if (!stat) return std::nullopt;
  const bool is_stopped = stat->state == 'T' || stat->state == 't';
  return Pulse{is_stopped, !is_stopped && (is_at_work(stat->state) || has_active_thread(folder)),
               stat->cpu_s};
}

bool is_running(pid_t pid) {
  if (::kill(pid, 0) != 0) return errno == EPERM;
  const auto stat = read_stat(fs::path("/proc") / std::to_string(pid) / "stat");
  return !stat || stat->state != 'Z';
}

}  // namespace zt::process
