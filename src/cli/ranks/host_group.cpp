// SPDX-License-Identifier: Apache-2.0
// See host_group.hpp.
#include "cli/ranks/host_group.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <csignal>
#include <numeric>
#include <utility>

#include "base/error_policy.hpp"
#include "base/files/files.hpp"
#include "cli/failure/last_error.hpp"
#include "contract/exit_codes.hpp"

namespace zt::cli {
namespace {

using namespace std::chrono_literals;
constexpr auto kHostLeaveLimit = 5s;
constexpr int kLostConnection = 255;  ///< of ssh

size_t count_ranks(const std::vector<HostPart>& parts) {
  return std::accumulate(parts.begin(), parts.end(), size_t{0}, [](size_t sum, const HostPart& part) {
    return sum + static_cast<size_t>(part.call.num_here);
  });
}

}  // namespace

HostGroup::HostGroup(std::vector<HostPart> parts, Limits limits)
    : RankGroup(count_ranks(parts)), limits_(limits) {
  hosts_.reserve(parts.size());  // a child can't be moved by assignment
  for (HostPart& part : parts) hosts_.push_back({std::move(part)});
}

HostGroup::~HostGroup() {
  const clock::Deadline deadline = clock::in(kHostLeaveLimit);
  for (Host& host : hosts_)
    if (host.agent) (void)host.agent->write_in(leave_line());
  for (Host& host : hosts_)
    if (host.agent) (void)host.agent->wait(clock::left(deadline));
}

Status HostGroup::start_agent(Host& host) const {
  process::SpawnOptions options;
  options.argv = host.part.command;
  options.has_input = true;
  options.out = process::Stream::pipe();
  options.err = process::Stream::to_file(host.part.log);
  ZT_TRY_ASSIGN(auto agent, process::Child::spawn(options));
  host.agent.emplace(std::move(agent));
  host.heard.clear();
  if (!host.has_served) host.tell_at = clock::in(limits_.silence);
  (void)host.agent->write_in(to_line(host.part.call));  // one that is gone already is met in look()
  return {};
}

Status HostGroup::spawn(size_t rank, int64_t generation, int64_t number) {
  const auto wanted = static_cast<int64_t>(rank);
  const auto host = std::ranges::find_if(
      hosts_, [&](const Host& one) { return wanted < one.part.call.first_rank + one.part.call.num_here; });
  if (!host->agent) ZT_TRY(start_agent(*host));
  (void)host->agent->write_in(to_line(StartOrder{wanted, generation, number}));  // likewise
  return {};
}

void HostGroup::send(int signal) {
  if (signal == SIGKILL && !cut_at_) cut_at_ = clock::in(limits_.kill);
  for (Host& host : hosts_)
    if (host.agent) (void)host.agent->write_in(signal_line(signal));
}

void HostGroup::listen(Host& host) {
  host.heard += host.agent->read_out();
  for (size_t end = 0; (end = host.heard.find('\n')) != std::string::npos; host.heard.erase(0, end + 1)) {
    const std::string_view line = std::string_view(host.heard).substr(0, end);
    if (const auto news = parse_news_line(line)) news_ += *news + "\n";
    const auto word = parse_agent_word(line);
    if (!word) continue;  // or what a login script prints
    host.has_served = true;
    const auto rank = static_cast<size_t>(word->rank);
    if (word->rank >= 0 && rank < size() && word->exit)
      note_end(rank, {.exit = *word->exit, .has_hung = word->has_hung});
  }
}

void HostGroup::tell_of_silence(Host& host) {
  if (host.has_served || !host.tell_at || clock::left(*host.tell_at) > 0ms) return;
  host.tell_at.reset();
  news_ += fmt::format(
      "zoetrope: {} has not answered for {} s, and all ranks wait for it ({}; its log is {})\n",
      host.part.call.host, std::chrono::duration_cast<std::chrono::seconds>(limits_.silence).count(),
      fmt::join(host.part.command, " "), host.part.log.string());
}

void HostGroup::note_lost(Host& host, const process::Exit& exit) {
  const HostCall& call = host.part.call;
  // 2 is also what a shell, or ssh in its place, says of a command that it does not understand.
  const bool is_known =
      exit.code != 0 && exit.code != contract::kExitUsage && contract::error_of_exit(exit.shell_code());
  const int code = is_known ? exit.code : policy(ErrorCode::Unavailable).exit_code;
  const bool is_ssh = host.part.command.front() != "srun";
  const std::string said = last_line(host.part.log);
  std::string words =
      fmt::format("the agent on {} ended with {}{}{} ({})", call.host, exit.text(),
                  is_ssh && exit.code == kLostConnection ? ", which is ssh's for a lost connection" : "",
                  said.empty() ? "" : ": " + said, host.part.log.string());
  if (!host.has_served)
    words += fmt::format(
        "; no answer: check that `{} {}` works without a password "
        "and that zoetrope is at the same path there",
        host.part.command.front(), call.host);
  for (int64_t i = 0; i < call.num_here; ++i) {
    const auto rank = static_cast<size_t>(call.first_rank + i);
    if (end_of(rank)) continue;
    note_end(rank, {{code, 0}, words, host.has_served});
  }
}

Status HostGroup::look(std::chrono::milliseconds moment) {
  const clock::Deadline until = clock::in(moment);
  bool is_first = true;
  for (Host& host : hosts_) {
    if (!host.agent) continue;
    // The moment is spent on the first; the others are only looked at.
    const auto exit = host.agent->wait(std::exchange(is_first, false) ? clock::left(until) : 0ms);
    if (!exit && exit.error().code != ErrorCode::Timeout) return fail(exit.error());
    listen(host);
    tell_of_silence(host);
    if (!exit) continue;
    note_lost(host, *exit);
    host.agent.reset();
  }
  if (is_overdue() && !cut_at_) send(SIGKILL);
  if (cut_at_ && clock::left(*cut_at_) == 0ms)
    for (Host& host : hosts_)
      if (host.agent) (void)host.agent->send(SIGKILL);
  return {};
}

}  // namespace zt::cli
