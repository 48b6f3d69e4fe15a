// SPDX-License-Identifier: Apache-2.0
// See reach_host.hpp.
#include "cli/launch/reach_host.hpp"

#include <fmt/format.h>

#include <chrono>
#include <sstream>
#include <utility>

#include "base/process/process.hpp"
#include "rendezvous/addresses.hpp"

namespace zt::cli {
namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// As one word of a shell on the other host.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

struct Resolved {
  std::string name;
  std::string complaint = {};  ///< why that is the host's own
};

/// What ssh's configuration makes of a host's name: an alias stands for another name or an address. Errors:
/// those of starting a program.
Result<Resolved> resolved_by_ssh(const HostOptions& options, const std::string& host) {
  constexpr std::chrono::seconds kLimit{10};
  process::SpawnOptions ask;
  ask.argv = words_of(options.ssh);
  ask.argv.insert(ask.argv.end(), {"-G", host});
  ZT_TRY_ASSIGN(const process::Output answer, process::run(ask, kLimit));
  std::istringstream lines(answer.out);
  for (std::string key, value; lines >> key && std::getline(lines >> std::ws, value);)
    if (key == "hostname") return Resolved{value};
  // Programs in the place of ssh need not know the question.
  return Resolved{host, fmt::format("{} -G {} ended with {}: {}", options.ssh, host, answer.exit.text(),
                                    answer.err.substr(0, answer.err.find('\n')))};
}

bool is_loopback(const std::string& address) { return address.starts_with("127.") || address == "::1"; }

}  // namespace

std::vector<std::string> agent_command(const HostOptions& options, const std::string& host,
                                       const std::string& program) {
  if (options.has_srun) {
    // One task beside whatever else runs in the allocation, with all of the node's cores and memory for its
    // ranks.
    return {"srun",    "--nodes=1", "--ntasks=1", "--nodelist=" + host, "--overlap", "--cpu-bind=none",
            "--mem=0", "--quiet",   program,      "host-agent"};
  }
  std::vector<std::string> command = words_of(options.ssh);
  command.insert(command.end(), {"-T", "-o", "BatchMode=yes", "-o", "ServerAliveInterval=5", "-o",
                                 "ServerAliveCountMax=3", host, "exec " + quoted(program) + " host-agent"});
  return command;
}

Result<std::string> address_for_hosts(const HostOptions& options) {
  if (!options.address.empty()) return options.address;
  std::string loopback;
  for (const HostSlots& host : options.hosts) {
    Resolved resolved{host.name};
    if (!options.has_srun) {
      ZT_TRY_ASSIGN(resolved, resolved_by_ssh(options, host.name));
    }
    auto address = rendezvous::address_towards(resolved.name);
    if (!address) {
      Error error = std::move(address.error());
      if (!resolved.complaint.empty()) error = std::move(error).with(resolved.complaint);
      return fail(std::move(error).with("--address ADDRESS says under which one the hosts reach this one"));
    }
    if (!is_loopback(*address)) return address;
    loopback = std::move(*address);
  }
  return loopback;
}

}  // namespace zt::cli
