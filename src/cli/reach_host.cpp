// SPDX-License-Identifier: Apache-2.0
// See reach_host.hpp.
#include "cli/reach_host.hpp"

#include <chrono>
#include <sstream>
#include <utility>

#include "base/process.hpp"
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

/// What ssh's configuration makes of a host's name: an alias stands for another name or an address.
std::string resolved_by_ssh(const HostOptions& options, const std::string& host) {
  constexpr std::chrono::seconds kLimit{10};
  process::SpawnOptions ask;
  ask.argv = words_of(options.ssh);
  ask.argv.insert(ask.argv.end(), {"-G", host});
  const auto answer = process::run(ask, kLimit);
  if (!answer || !answer->exit.ok()) return host;
  std::istringstream lines(answer->out);
  for (std::string key, value; lines >> key && std::getline(lines >> std::ws, value);)
    if (key == "hostname") return value;
  return host;
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
    auto address =
        rendezvous::address_towards(options.has_srun ? host.name : resolved_by_ssh(options, host.name));
    if (!address)
      return fail(
          std::move(address.error()).with("--address ADDRESS says under which one the hosts reach this one"));
    if (!is_loopback(*address)) return address;
    loopback = std::move(*address);
  }
  return loopback;
}

}  // namespace zt::cli
