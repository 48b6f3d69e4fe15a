// SPDX-License-Identifier: Apache-2.0
// What `zoetrope train --hosts` and the `zoetrope host-agent` that it starts on each host say to each other,
// a line at a time, through the agent's standard input and output. Launcher to agent: the call (JSON: it
// holds the store's token, which must not stand on a command line), then "signal N". Agent to launcher:
// "failed RANK CODE SIGNAL" when a rank of its host fails first, "ended RANK CODE SIGNAL" when the last has
// ended, of the rank that decides. When the agent's standard input ends, its ranks are asked to save and end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/process.hpp"

namespace zt::cli {

struct WorkerSession;

/// The ranks [first_rank, first_rank + num_here) of a training's attempt.
struct HostCall {
  static constexpr int kVersion = 1;
  std::filesystem::path run_dir;
  int64_t generation = 0;
  std::string host;  ///< as contract::RankPlace::host
  int64_t first_rank = 0;
  int64_t num_here = 1;
  int64_t ranks = 1;
  std::string rendezvous;  ///< host:port
  std::string token;
};

/// One host of a training, as its launcher sees it.
struct HostPart {
  HostCall call;
  std::vector<std::string> command;  ///< runs the agent there
  std::filesystem::path log;         ///< takes what ssh or srun and the agent have to say
};

/// One line with its end.
std::string to_line(const HostCall& call);
/// Errors: Corrupt for what is no call, Unsupported for another program version's.
Result<HostCall> parse_host_call(std::string_view line);
/// The workers that it stands for. Errors: NotFound if this host does not see the attempt's folder.
Result<WorkerSession> session_of(const HostCall& call);

std::string signal_line(int signal);
/// None for any other line.
std::optional<int> parse_signal_line(std::string_view line);

struct AgentWord {
  bool is_end = false;  ///< "ended", else "failed"
  int rank = 0;
  process::Exit exit;
};
std::string to_line(const AgentWord& word);
/// None for any other line.
std::optional<AgentWord> parse_agent_word(std::string_view line);

}  // namespace zt::cli
