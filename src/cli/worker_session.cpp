// SPDX-License-Identifier: Apache-2.0
#include "cli/worker_session.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "base/error_policy.hpp"
#include "base/process.hpp"
#include "base/signals.hpp"
#include "base/terminal.hpp"
#include "cli/last_error.hpp"
#include "cli/log_tail.hpp"
#include "cli/output.hpp"
#include "cli/progress_text.hpp"
#include "cli/recovery.hpp"
#include "cli/sibling.hpp"
#include "cli/worker_group.hpp"
#include "contract/exit_codes.hpp"
#include "contract/progress.hpp"

namespace zt::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
constexpr auto kTick = 100ms;
constexpr auto kStopNowLimit = 5s;

// Passes the launcher's stop state on to the worker, each step of it once.
class StopRelay {
 public:
  explicit StopRelay(contract::WorkerVerb verb) : verb_(verb) {}

  // A line to show when the state changed.
  std::string_view pass_on(const WorkerGroup& workers) {
    const signals::Stop now = signals::stop();
    if (now == passed_) return {};
    passed_ = now;
    if (now == signals::Stop::Requested) {
      workers.send(signals::requested_by());
      return verb_ == contract::WorkerVerb::Train
                 ? "stopping: the step is finished and saved first (Ctrl-C again stops now)\n"
                 : "stopping after this step (Ctrl-C again stops now)\n";
    }
    deadline_ = Clock::now() + kStopNowLimit;
    workers.send(SIGINT);
    return "stopping now\n";
  }
  bool is_overdue() const { return deadline_ && Clock::now() > *deadline_; }

 private:
  contract::WorkerVerb verb_;
  signals::Stop passed_ = signals::Stop::None;
  std::optional<Clock::time_point> deadline_;
};

// What the worker's own log can't tell of its end: a signal, or an exit code without words.
WorkerEnd conclude(const process::Exit& exit, std::string_view who, const fs::path& log) {
  if (signals::stop() == signals::Stop::Now) return {contract::kExitStoppedNow};
  // Asked to stop before it had a handler for that: nothing was begun, so nothing is lost.
  if (exit.signal != 0 && exit.signal == signals::requested_by()) return {kExitResumable};
  if (exit.code == 0 || exit.code == kExitResumable) return {exit.code};
  const auto error = contract::error_of_exit(exit.shell_code());
  const bool has_said = error && *error != ErrorCode::Internal;
  if (!has_said) {
    const char* likely = exit.signal == SIGKILL ? ": most often the kernel ended it for lack of memory" : "";
    note(fmt::format("zoetrope: error: {} ended {} {}{}; its log is {}", who,
                     exit.signal != 0 ? "by" : "with", exit.text(), likely, log.string()));
  }
  if (error && exit.code != contract::kExitUsage) note("hint: " + std::string(policy(*error).operator_text));
  return {exit.shell_code(), has_said};
}

// A training that was to stop, and would have been restarted otherwise: its last checkpoint is what it can go
// on from.
bool can_be_resumed(const WorkerSession& session, const process::Exit& exit) {
  return session.restarts && signals::stop() == signals::Stop::Requested && is_worth_a_restart(exit);
}

// The first cause in one line, where the terminal has not shown it: another rank's.
void say_first_cause(int rank, const fs::path& log) {
  const std::string words = last_error(log);
  if (!words.empty())
    note(fmt::format("zoetrope: error: rank {} failed first: {} (its log is {})", rank, words, log.string()));
}

}  // namespace

Result<fs::path> find_worker() {
  if (const char* named = std::getenv("ZT_WORKER"); named && *named) return fs::path(named);
  return find_sibling("zoetrope-worker");
}

Result<WorkerEnd> supervise(const WorkerSession& session) {
  LogTail log(session.log);
  ZT_TRY_ASSIGN(auto workers, WorkerGroup::start(session));

  const auto traits = terminal::inspect(2);
  terminal::ProgressLine line(traits, [](std::string_view s) { (void)!::write(2, s.data(), s.size()); });
  StopRelay relay(session.call.verb);
  Recovery recovery(session);
  std::string results;
  while (!workers.has_ended()) {
    if (session.keep_results) results += workers.read_out();
    line.print_above(log.read());
    line.print_above(relay.pass_on(workers));
    if (relay.is_overdue()) workers.send(SIGKILL);
    if (const auto progress = contract::read_progress(session.call.progress)) {
      line.update(progress_text(*progress, traits.width - 1));
    }
    ZT_TRY(workers.wait(kTick));
    ZT_TRY_ASSIGN(const std::string lines, recovery.tend(workers));
    line.print_above(lines);
  }
  line.clear();
  for (std::string lines = log.read(); !lines.empty(); lines = log.read()) line.print_above(lines);
  if (const std::string rest = log.rest(); !rest.empty()) line.print_above(rest + "\n");
  if (session.keep_results) results += workers.read_out();
  const GroupEnd ended = workers.end();
  const fs::path& its_log = session.log_of(static_cast<size_t>(ended.rank));
  if (ended.rank != 0) say_first_cause(ended.rank, its_log);
  const std::string who = session.others.empty() ? "the worker" : fmt::format("rank {}", ended.rank);
  WorkerEnd end = conclude(ended.exit, who, its_log);
  if (end.code != 0 && can_be_resumed(session, ended.exit)) end.code = kExitResumable;
  end.results = std::move(results);
  return end;
}

}  // namespace zt::cli
