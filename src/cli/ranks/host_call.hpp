// SPDX-License-Identifier: Apache-2.0
// What `zoetrope train --hosts` and the `zoetrope host-agent` that it starts on each host say to each other,
// a line at a time, through the agent's standard input and output. Launcher to agent: the call (JSON: it
// holds the store's token, which must not stand on a command line), then "start RANK GENERATION RESTARTS" for
// each rank, also for one that has ended, "signal N" to all that run, and "leave" once none will be started
// again. Agent to launcher: "started RANK", "ended RANK CODE SIGNAL" when it has ended, "hung" instead
// if it was killed because it hung, and "news TEXT" for people. When the agent's standard input ends without
// "leave", its ranks are asked to end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/process/process.hpp"

namespace zt::cli {

struct WorkerSession;

/// The ranks [first_rank, first_rank + num_here) of a training's launch.
struct HostCall {
  static constexpr int kVersion = 3;
  std::filesystem::path run_dir;
  int64_t generation = 0;  ///< of the launch's first attempt, whose logs and progress words serve all
  std::string host;        ///< as contract::RankPlace::host
  int64_t first_rank = 0;
  int64_t num_here = 1;
  int64_t ranks = 1;
  std::string rendezvous;  ///< host:port
  std::string token;
  bool keeps_memory = false;  ///< for snapshots, of ranks that are started again
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

std::string leave_line();
bool is_leave_line(std::string_view line);

struct StartOrder {
  int64_t rank = 0;
  int64_t generation = 0;
  int64_t number = 0;  ///< of the launch's restarts
};
std::string to_line(const StartOrder& order);
/// None for any other line.
std::optional<StartOrder> parse_start_order(std::string_view line);

/// A rank has started, or ended.
struct AgentWord {
  int rank = 0;
  std::optional<process::Exit> exit = {};
  bool has_hung = false;  ///< and was killed for it
};
std::string to_line(const AgentWord& word);
/// None for any other line.
std::optional<AgentWord> parse_agent_word(std::string_view line);

/// `text`: a line without its end.
std::string news_line(std::string_view text);
/// None for any other line.
std::optional<std::string> parse_news_line(std::string_view line);

}  // namespace zt::cli
