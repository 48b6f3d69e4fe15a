// SPDX-License-Identifier: Apache-2.0
// The ranks of a training on several hosts, each host's behind the agent (cli/host_agent.cpp) that ssh or
// srun runs there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/process.hpp"
#include "cli/host_call.hpp"
#include "cli/rank_group.hpp"

namespace zt::cli {

class HostGroup : public RankGroup {
 public:
  /// Errors: those of process::Child::spawn. None runs then.
  static Result<HostGroup> start(std::vector<HostPart> parts);

  void send(int signal) override;
  /// A host whose agent ends without a word counts as lost, by its first rank.
  Result<std::optional<GroupEnd>> wait(std::chrono::milliseconds moment) override;

 private:
  struct Host {
    HostPart part;
    process::Child agent;
    std::string heard;  ///< of an unfinished line
    std::optional<GroupEnd> end = {};
  };
  HostGroup() = default;
  void listen(Host& host);
  void note_failure(const GroupEnd& end);
  /// Requires: all have ended.
  GroupEnd decisive_end() const;
  std::vector<Host> hosts_;
  std::optional<GroupEnd> failed_first_;
  clock::Deadline kill_at_, give_up_at_;
  bool has_killed_ = false;
};

}  // namespace zt::cli
