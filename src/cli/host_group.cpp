// SPDX-License-Identifier: Apache-2.0
// See host_group.hpp.
#include "cli/host_group.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <utility>

#include "base/error_policy.hpp"
#include "base/files.hpp"
#include "contract/exit_codes.hpp"

namespace zt::cli {
namespace {

using namespace std::chrono_literals;
/// As of WorkerGroup.
constexpr auto kEndLimit = 1s;
/// An agent that has killed its ranks says so at once; a host that does not answer never does.
constexpr auto kAnswerLimit = 5s;
constexpr uint64_t kMaxLogBytes = uint64_t{1} << 20;

std::string last_line(const std::filesystem::path& file) {
  std::string text = files::read(file, kMaxLogBytes).value_or("");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const size_t begin = text.rfind('\n');
  return begin == std::string::npos ? text : text.substr(begin + 1);
}

}  // namespace

Result<HostGroup> HostGroup::start(std::vector<HostPart> parts) {
  HostGroup group;
  group.hosts_.reserve(parts.size());  // a child can't be moved by assignment
  for (HostPart& part : parts) {
    process::SpawnOptions options;
    options.argv = part.command;
    options.has_input = true;
    options.out = process::Stream::pipe();
    options.err = process::Stream::to_file(part.log);
    ZT_TRY_ASSIGN(auto agent, process::Child::spawn(options));
    // An agent that is gone already is met in wait().
    (void)agent.write_in(to_line(part.call));
    group.hosts_.push_back({std::move(part), std::move(agent), {}});
  }
  return group;
}

void HostGroup::send(int signal) {
  for (Host& host : hosts_)
    if (!host.end) (void)host.agent.write_in(signal_line(signal));
}

void HostGroup::note_failure(const GroupEnd& end) {
  if (!failed_first_) {
    kill_at_ = clock::in(kEndLimit);
    give_up_at_ = kill_at_ + kAnswerLimit;
  }
  // Hosts that fail together: one that only lost another's rank is not the cause.
  if (!failed_first_ || (is_consequence(failed_first_->exit) && !is_consequence(end.exit)))
    failed_first_ = end;
}

void HostGroup::listen(Host& host) {
  host.heard += host.agent.read_out();
  for (size_t end = 0; (end = host.heard.find('\n')) != std::string::npos; host.heard.erase(0, end + 1)) {
    const auto word = parse_agent_word(std::string_view(host.heard).substr(0, end));
    if (!word) continue;  // what a login script prints
    const GroupEnd told{word->exit, word->rank};
    if (is_failure(told.exit)) note_failure(told);
    if (word->is_end) host.end = told;
  }
}

Result<std::optional<GroupEnd>> HostGroup::wait(std::chrono::milliseconds moment) {
  const clock::Deadline until = clock::in(moment);
  bool all_ended = true;
  for (Host& host : hosts_) {
    if (host.end) continue;
    // The moment is spent on the first that runs; the others are only looked at.
    const auto exit = host.agent.wait(all_ended ? clock::left(until) : 0ms);
    listen(host);
    if (exit && !host.end) {
      const bool is_known = exit->code != 0 && contract::error_of_exit(exit->shell_code());
      const int code = is_known ? exit->code : policy(ErrorCode::Unavailable).exit_code;
      host.end = GroupEnd{{code, 0},
                          static_cast<int>(host.part.call.first_rank),
                          fmt::format("the agent on {} ended with {}: {} ({})", host.part.call.host,
                                      exit->text(), last_line(host.part.log), host.part.log.string())};
      note_failure(*host.end);
    } else if (!exit && exit.error().code != ErrorCode::Timeout) {
      return fail(exit.error());
    }
    all_ended = all_ended && host.end;
  }
  if (all_ended) return std::optional(decisive_end());
  if (failed_first_ && !has_killed_ && clock::left(kill_at_) == 0ms) {
    has_killed_ = true;
    send(SIGKILL);
  }
  if (failed_first_ && clock::left(give_up_at_) == 0ms)
    for (Host& host : hosts_) (void)host.agent.send(SIGKILL);
  return std::optional<GroupEnd>{};
}

GroupEnd HostGroup::decisive_end() const {
  if (failed_first_ && !is_consequence(failed_first_->exit)) return *failed_first_;
  // One that was asked to stop while it loaded leaves the others without their first rank: that is no
  // failure.
  for (const Host& host : hosts_)
    if (host.end->exit.code == kExitResumable) return *host.end;
  return failed_first_.value_or(*hosts_.front().end);
}

}  // namespace zt::cli
