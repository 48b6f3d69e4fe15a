// SPDX-License-Identifier: Apache-2.0
#include "cli/launch/environment.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <fstream>

#include "base/process/resources.hpp"
#include "base/text/text.hpp"

namespace zt::cli {
namespace {

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(':');
    if (line.starts_with("model name") && colon != std::string::npos)
      return std::string(text::trim(std::string_view(line).substr(colon + 1)));
  }
  return "";
}

}  // namespace

std::map<std::string, std::string> environment() {
  std::map<std::string, std::string> out;
  utsname system{};
  if (::uname(&system) == 0) {
    out["host"] = system.nodename;
    out["kernel"] = fmt::format("{} {} {}", system.sysname, system.release, system.machine);
  }
  if (const std::string cpu = cpu_model(); !cpu.empty()) out["cpu"] = cpu;
  out["cores"] = fmt::format("{}", resources::cores());
  if (const auto memory = resources::memory()) out["memory"] = text::bytes(memory->total_bytes);
  return out;
}

}  // namespace zt::cli
