// SPDX-License-Identifier: Apache-2.0
// How programs are started on other hosts, and how those reach this one.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "cli/launch/hosts.hpp"

namespace zt::cli {

struct HostOptions {
  std::vector<HostSlots> hosts;
  bool has_srun = false;    ///< by srun, in the Slurm allocation that this process belongs to, else by ssh
  std::string ssh = "ssh";  ///< OpenSSH's client, words behind it included: "ssh -p 2222"
  std::string address;      ///< of this host, numeric; empty: the one on the route to the hosts
};

/// The command that runs `program`'s verb host-agent on a host. It fails rather than ask for a password.
std::vector<std::string> agent_command(const HostOptions& options, const std::string& host,
                                       const std::string& program);

/// options.address, or the one that this host has on the route to the first of the hosts that is another one;
/// loopback if none is. Errors: Unavailable if a host's name can't be resolved: the message says how to name
/// the address.
Result<std::string> address_for_hosts(const HostOptions& options);

}  // namespace zt::cli
