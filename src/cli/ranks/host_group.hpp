// SPDX-License-Identifier: Apache-2.0
// The ranks of a training on several hosts, each host's behind the agent (cli/verbs/host_agent.cpp) that ssh
// or srun runs there. An agent that is gone counts as its host lost, with all its ranks; starting one of them
// starts an agent there again.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/process/process.hpp"
#include "cli/ranks/host_call.hpp"
#include "cli/ranks/rank_group.hpp"

namespace zt::cli {

class HostGroup : public RankGroup {
 public:
  struct Limits {
    /// An agent that has killed its ranks says so at once; after that long the connection of one that does
    /// not is cut, and its host counts as lost.
    std::chrono::milliseconds kill = std::chrono::seconds(5);
    /// Silence of an agent at its start after which people are told whom the ranks wait for.
    std::chrono::milliseconds silence = std::chrono::seconds(30);
  };
  explicit HostGroup(std::vector<HostPart> parts) : HostGroup(std::move(parts), Limits()) {}
  HostGroup(std::vector<HostPart> parts, Limits limits);
  HostGroup(const HostGroup&) = delete;
  HostGroup& operator=(const HostGroup&) = delete;
  /// Lets the agents go, which end with their last rank.
  ~HostGroup() override;

  void send(int signal) override;
  Status look(std::chrono::milliseconds moment) override;
  std::string take_news() override { return std::exchange(news_, {}); }

 private:
  struct Host {
    HostPart part;
    std::optional<process::Child> agent = {};
    std::string heard = {};                       ///< of an unfinished line
    bool has_served = false;                      ///< this agent, or one before it
    std::optional<clock::Deadline> tell_at = {};  ///< that it has not, yet
  };
  Status spawn(size_t rank, int64_t generation, int64_t number) override;
  Status start_agent(Host& host) const;
  void listen(Host& host);
  void note_lost(Host& host, const process::Exit& exit);
  void tell_of_silence(Host& host);
  const Limits limits_;
  std::vector<Host> hosts_;
  std::string news_;                       ///< of the agents
  std::optional<clock::Deadline> cut_at_;  ///< set by the first order to kill
};

}  // namespace zt::cli
