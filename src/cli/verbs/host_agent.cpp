// SPDX-License-Identifier: Apache-2.0
// zoetrope host-agent: starts the ranks of one host for a `zoetrope train --hosts` that runs elsewhere, and
// stays with them. ssh or srun starts it; nobody types it, so the help leaves it out.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/signals.hpp"
#include "base/text/text.hpp"
#include "cli/output/output.hpp"
#include "cli/ranks/host_call.hpp"
#include "cli/ranks/worker_group.hpp"
#include "cli/ranks/worker_session.hpp"
#include "cli/verbs/verbs.hpp"
#include "contract/exit_codes.hpp"

namespace zt::cli {
namespace {

using namespace std::chrono_literals;
constexpr auto kAgentTick = 50ms;
constexpr auto kCallLimit = 30s;
/// Ranks without a launcher have no store any more, so they save only if they are about to.
constexpr auto kOrphanLimit = 10s;
constexpr size_t kMaxInputBytes = 1 << 20;

/// The launcher's lines.
class Input {
 public:
  Input() { ::fcntl(0, F_SETFL, ::fcntl(0, F_GETFL) | O_NONBLOCK); }
  /// The next line without its end; none if it is not there yet.
  std::optional<std::string> next_line() {
    fill();
    const size_t end = text_.find('\n');
    if (end == std::string::npos) return std::nullopt;
    std::string line = text_.substr(0, end);
    text_.erase(0, end + 1);
    return line;
  }
  /// Returns when there is more to read, or after `moment`.
  void await_more(std::chrono::milliseconds moment) const {
    pollfd polled{0, POLLIN, 0};
    if (!has_ended_) ::poll(&polled, 1, static_cast<int>(moment.count()));
  }
  /// The connection to the launcher is gone, or no launcher is at its other end.
  bool has_ended() const { return has_ended_; }

 private:
  void fill() {
    std::array<char, 4096> buffer;
    while (!has_ended_) {
      const ssize_t n = ::read(0, buffer.data(), buffer.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return;
      if (n > 0) text_.append(buffer.data(), static_cast<size_t>(n));
      has_ended_ = n <= 0 || text_.size() > kMaxInputBytes;
    }
  }
  std::string text_;
  bool has_ended_ = false;
};

Result<HostCall> await_call(Input& input) {
  const clock::Deadline deadline = clock::in(kCallLimit);
  for (;;) {
    if (const auto line = input.next_line()) return parse_host_call(*line);
    if (input.has_ended() || clock::left(deadline) == 0ms)
      return fail(ErrorCode::Unavailable, "no launcher's call came on standard input");
    input.await_more(clock::left(deadline));
  }
}

/// This host's ranks, as the launcher counts them.
class HostRanks {
 public:
  HostRanks(const HostCall& call, Input& input, WorkerGroup& workers)
      : first_rank_(call.first_rank), input_(input), workers_(workers), runs_(workers.size()) {}

  /// Until the launcher lets go, or is gone, and the last rank has ended.
  Status serve() {
    for (;;) {
      input_.await_more(kAgentTick);
      ZT_TRY(obey());
      pass_on_signals();
      // A launcher that is gone gives no more to wait for.
      ZT_TRY(workers_.look(input_.has_ended() ? kAgentTick : 0ms));
      for (const std::string& news : text::split(workers_.take_news(), '\n'))
        if (!news.empty()) say(news_line(news));
      for (size_t i = 0; i < workers_.size(); ++i) tell_end(i);
      const bool is_free = is_let_go_ || input_.has_ended();
      if (is_free && std::ranges::count(runs_, true) == 0) return {};
    }
  }

 private:
  Status obey() {
    while (const auto line = input_.next_line()) {
      if (const auto signal = parse_signal_line(*line)) workers_.send(*signal);
      if (const auto order = parse_start_order(*line)) ZT_TRY(start(*order));
      is_let_go_ = is_let_go_ || is_leave_line(*line);
    }
    return {};
  }

  Status start(const StartOrder& order) {
    const int64_t i = order.rank - first_rank_;
    if (i < 0 || i >= std::ssize(runs_))
      return fail(ErrorCode::Corrupt, fmt::format("rank {} is none of this host's", order.rank));
    const auto index = static_cast<size_t>(i);
    ZT_TRY(workers_.start(index, order.generation, order.number));
    runs_[index] = true;
    say(to_line(AgentWord{static_cast<int>(order.rank)}));
    return {};
  }

  void pass_on_signals() {
    // srun passes its signals to the agents.
    if (signals::stop() != passed_) {
      passed_ = signals::stop();
      workers_.send(passed_ == signals::Stop::Now ? SIGINT : signals::requested_by());
    }
    if (input_.has_ended() && !kill_at_) {
      kill_at_ = clock::in(kOrphanLimit);
      workers_.send(SIGTERM);
    }
    if (kill_at_ && clock::left(*kill_at_) == 0ms) workers_.send(SIGKILL);
  }

  void tell_end(size_t index) {
    const auto& end = workers_.end_of(index);
    if (!runs_[index] || !end) return;
    runs_[index] = false;
    const int rank = static_cast<int>(first_rank_) + static_cast<int>(index);
    say(to_line(AgentWord{rank, end->exit, end->has_hung}));
  }

  static void say(const std::string& line) {
    print(line);
    finish_output(contract::kExitOk);
  }

  const int64_t first_rank_;
  Input& input_;
  WorkerGroup& workers_;
  std::vector<bool> runs_;  ///< started, and its end not told yet
  bool is_let_go_ = false;
  signals::Stop passed_ = signals::Stop::None;
  std::optional<clock::Deadline> kill_at_;
};

Result<int> serve_host() {
  Input input;
  ZT_TRY_ASSIGN(const HostCall call, await_call(input));
  ZT_TRY_ASSIGN(const WorkerSession session, session_of(call));
  ZT_TRY_ASSIGN(WorkerGroup workers, WorkerGroup::make(session));
  ZT_TRY(HostRanks(call, input, workers).serve());
  return contract::kExitOk;
}

}  // namespace

void add_host_agent(CLI::App& app, Action& chosen) {
  auto* verb = app.add_subcommand("host-agent", "Start the ranks of this host for a launcher elsewhere");
  verb->group("");
  verb->callback([&chosen] { chosen = serve_host; });
}

}  // namespace zt::cli
