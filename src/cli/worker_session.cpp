// SPDX-License-Identifier: Apache-2.0
#include "cli/worker_session.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <optional>

#include "base/error_policy.hpp"
#include "base/process.hpp"
#include "base/signals.hpp"
#include "base/terminal.hpp"
#include "cli/log_tail.hpp"
#include "cli/output.hpp"
#include "cli/progress_text.hpp"
#include "cli/sibling.hpp"
#include "contract/exit_codes.hpp"
#include "contract/progress.hpp"

namespace zt::cli {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
constexpr auto kTick = 100ms;
constexpr const char* kWaitPolicy = "OMP_WAIT_POLICY";
constexpr auto kStopNowLimit = 5s;

// Passes the launcher's stop state on to the worker, each step of it once.
class StopRelay {
 public:
  explicit StopRelay(contract::WorkerVerb verb) : verb_(verb) {}

  // A line to show when the state changed.
  std::string_view pass_on(const process::Child& worker) {
    const signals::Stop now = signals::stop();
    if (now == passed_) return {};
    passed_ = now;
    if (now == signals::Stop::Requested) {
      (void)worker.send(signals::requested_by());
      return verb_ == contract::WorkerVerb::Train
                 ? "stopping: the step is finished and saved first (Ctrl-C again stops now)\n"
                 : "stopping after this step (Ctrl-C again stops now)\n";
    }
    deadline_ = Clock::now() + kStopNowLimit;
    (void)worker.send(SIGINT);
    return "stopping now\n";
  }
  bool is_overdue() const { return deadline_ && Clock::now() > *deadline_; }

 private:
  contract::WorkerVerb verb_;
  signals::Stop passed_ = signals::Stop::None;
  std::optional<Clock::time_point> deadline_;
};

// What the worker's own log can't tell of its end: a signal, or an exit code without words.
WorkerEnd conclude(const process::Exit& exit, const fs::path& log) {
  if (signals::stop() == signals::Stop::Now) return {contract::kExitStoppedNow};
  // Asked to stop before it had a handler for that: nothing was begun, so nothing is lost.
  if (exit.signal != 0 && exit.signal == signals::requested_by()) return {kExitResumable};
  if (exit.code == 0 || exit.code == kExitResumable) return {exit.code};
  const auto error = contract::error_of_exit(exit.shell_code());
  const bool has_said = error && *error != ErrorCode::Internal;
  if (!has_said) {
    const char* likely = exit.signal == SIGKILL ? ": most often the kernel ended it for lack of memory" : "";
    note(fmt::format("zoetrope: error: the worker ended {} {}{}; its log is {}",
                     exit.signal != 0 ? "by" : "with", exit.text(), likely, log.string()));
  }
  if (error && exit.code != contract::kExitUsage) note("hint: " + std::string(policy(*error).operator_text));
  return {exit.shell_code(), has_said};
}

}  // namespace

Result<fs::path> find_worker() {
  if (const char* named = std::getenv("ZT_WORKER"); named && *named) return fs::path(named);
  return find_sibling("zoetrope-worker");
}

Result<WorkerEnd> supervise(const WorkerSession& session) {
  ZT_TRY_ASSIGN(const fs::path worker, find_worker());
  process::SpawnOptions options;
  options.argv = contract::to_args(session.call);
  options.argv.insert(options.argv.begin(), worker.string());
  options.err = process::Stream::to_file(session.log);
  if (session.keep_results) options.out = process::Stream::pipe();
  // Threads that wait sleep instead of spinning: on a machine with other work a spinning one takes the core
  // from the thread it waits for (a step of the quickstart then took several times as long).
  if (!std::getenv(kWaitPolicy)) options.env = {{kWaitPolicy, "passive"}};
  options.parent_death_signal = SIGTERM;  // without its launcher a run saves and ends
  LogTail log(session.log);
  ZT_TRY_ASSIGN(auto child, process::Child::spawn(options));

  const auto traits = terminal::inspect(2);
  terminal::ProgressLine line(traits, [](std::string_view s) { (void)!::write(2, s.data(), s.size()); });
  StopRelay relay(session.call.verb);
  std::optional<process::Exit> exit;
  std::string results;
  while (!exit) {
    if (session.keep_results) results += child.read_out();
    line.print_above(log.read());
    line.print_above(relay.pass_on(child));
    if (relay.is_overdue()) (void)child.send(SIGKILL);
    if (const auto progress = contract::read_progress(session.call.progress)) {
      line.update(progress_text(*progress, traits.width - 1));
    }
    auto ended = child.wait(kTick);
    if (ended) {
      exit = *ended;
    } else if (ended.error().code != ErrorCode::Timeout) {
      return fail(std::move(ended.error()));
    }
  }
  line.clear();
  for (std::string lines = log.read(); !lines.empty(); lines = log.read()) line.print_above(lines);
  if (const std::string rest = log.rest(); !rest.empty()) line.print_above(rest + "\n");
  if (session.keep_results) results += child.read_out();
  WorkerEnd end = conclude(*exit, session.log);
  end.results = std::move(results);
  return end;
}

}  // namespace zt::cli
