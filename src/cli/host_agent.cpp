// SPDX-License-Identifier: Apache-2.0
// zoetrope host-agent: starts the ranks of one host for a `zoetrope train --hosts` that runs elsewhere, and
// stays with them. ssh or srun starts it; nobody types it, so the help leaves it out.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/signals.hpp"
#include "cli/host_call.hpp"
#include "cli/output.hpp"
#include "cli/verbs.hpp"
#include "cli/worker_group.hpp"
#include "cli/worker_session.hpp"
#include "contract/exit_codes.hpp"

namespace zt::cli {
namespace {

using namespace std::chrono_literals;
constexpr auto kTick = 50ms;
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
    pollfd polled{0, POLLIN, 0};
    ::poll(&polled, 1, static_cast<int>(clock::left(deadline).count()));
  }
}

/// What the launcher asks for, and what it can't ask for any more once it is gone.
class Orders {
 public:
  explicit Orders(Input& input) : input_(input) {}

  void pass_on(WorkerGroup& workers) {
    while (const auto line = input_.next_line())
      if (const auto signal = parse_signal_line(*line)) workers.send(*signal);
    // srun passes its signals to the agents.
    if (signals::stop() != passed_) {
      passed_ = signals::stop();
      workers.send(passed_ == signals::Stop::Now ? SIGINT : signals::requested_by());
    }
    if (input_.has_ended() && !kill_at_) {
      kill_at_ = clock::in(kOrphanLimit);
      workers.send(SIGTERM);
    }
    if (kill_at_ && clock::left(*kill_at_) == 0ms) workers.send(SIGKILL);
  }

 private:
  Input& input_;
  signals::Stop passed_ = signals::Stop::None;
  std::optional<clock::Deadline> kill_at_;
};

Result<int> attend_host() {
  Input input;
  ZT_TRY_ASSIGN(const HostCall call, await_call(input));
  ZT_TRY_ASSIGN(const WorkerSession session, session_of(call));
  ZT_TRY_ASSIGN(WorkerGroup workers, WorkerGroup::start(session));
  const auto say = [&](bool is_end, const GroupEnd& end) {
    print(to_line(AgentWord{is_end, static_cast<int>(call.first_rank) + end.rank, end.exit}));
    finish_output(contract::kExitOk);
  };
  Orders orders(input);
  bool has_told = false;
  for (;;) {
    orders.pass_on(workers);
    ZT_TRY_ASSIGN(const std::optional<GroupEnd> ended, workers.wait(kTick));
    if (ended) {
      say(true, *ended);
      return contract::kExitOk;
    }
    if (const auto failed = workers.first_failure(); failed && !has_told) {
      has_told = true;
      say(false, *failed);
    }
  }
}

}  // namespace

void add_host_agent(CLI::App& app, Action& chosen) {
  auto* verb = app.add_subcommand("host-agent", "Start the ranks of this host for a launcher elsewhere");
  verb->group("");
  verb->callback([&chosen] { chosen = attend_host; });
}

}  // namespace zt::cli
