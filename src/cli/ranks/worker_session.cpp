// SPDX-License-Identifier: Apache-2.0
#include "cli/ranks/worker_session.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "base/error_policy.hpp"
#include "base/files/files.hpp"
#include "base/host_name.hpp"
#include "base/log.hpp"
#include "base/process/process.hpp"
#include "base/signals.hpp"
#include "base/terminal.hpp"
#include "cli/failure/first_cause.hpp"
#include "cli/failure/last_error.hpp"
#include "cli/failure/restart_policy.hpp"
#include "cli/output/output.hpp"
#include "cli/output/progress_text.hpp"
#include "cli/ranks/hang_guard.hpp"
#include "cli/ranks/host_group.hpp"
#include "cli/ranks/log_tail.hpp"
#include "cli/ranks/recovery.hpp"
#include "cli/ranks/worker_group.hpp"
#include "cli/sibling.hpp"
#include "contract/exit_codes.hpp"
#include "contract/words/progress.hpp"

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
  std::string_view pass_on(RankGroup& workers) {
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
  // The same while the request waits for ranks that are being started again.
  std::string_view hold() {
    if (std::exchange(has_told_of_hold_, true)) return {};
    return "stopping: once the ranks are back, the step is finished and saved (Ctrl-C again stops now)\n";
  }
  bool is_overdue() const { return deadline_ && Clock::now() > *deadline_; }

 private:
  contract::WorkerVerb verb_;
  signals::Stop passed_ = signals::Stop::None;
  bool has_told_of_hold_ = false;
  std::optional<Clock::time_point> deadline_;
};

// A training that was to stop, and would have been restarted otherwise: its last checkpoint is what it can go
// on from.
bool can_be_resumed(const WorkerSession& session, const process::Exit& exit) {
  return session.restarts && signals::stop() == signals::Stop::Requested && is_worth_a_restart(exit);
}

// Whether the run that the session trains is no longer where it was.
bool has_lost_folder(const WorkerSession& session) {
  std::error_code unknown;
  const fs::path& folder = session.call.run_dir;
  return !folder.empty() && !fs::exists(folder, unknown) && !unknown;
}

// Why nothing more can be written beside the log; leaves nothing there.
Status check_room(const fs::path& log) {
  constexpr size_t kSomeWords = size_t{1} << 16;
  ZT_TRY_ASSIGN(files::AtomicFile file, files::AtomicFile::create(log));
  return file.write(std::string(kSomeWords, ' '));
}

// Empty if nothing is known but how the process ended.
std::string message_of(const WorkerSession& session, const GroupEnd& end) {
  if (!end.message.empty()) return end.message;
  const fs::path& log = session.log_of(static_cast<size_t>(end.rank));
  const std::string message = last_error(log);
  const bool was_killed = end.exit.signal != 0 && end.exit.signal != SIGABRT;
  if (!message.empty() || was_killed) return message;
  if (has_lost_folder(session))
    return fmt::format("the run folder {} was moved or removed while it trained",
                       session.call.run_dir.string());
  if (const Status room = check_room(log); !room)
    return fmt::format(
        "{} and could not write why: {}; make room and {}", how_it_ended(end.exit), room.error().text(),
        session.call.verb == contract::WorkerVerb::Train ? "go on with --resume" : "run the command again");
  // The dynamic linker's, libgomp's or the C++ runtime's; a line of our own log is no cause.
  const std::string words = last_line(log);
  return words.empty() || log::is_entry(words) ? "" : how_it_ended(end.exit) + ", saying: " + words;
}

// What of its end the worker's own log, which the terminal shows, can't tell: a signal, an exit code without
// words, or which of several ranks was the cause. `asked_by`: the signal that was to stop the ranks, or 0.
WorkerEnd conclude(const WorkerSession& session, const GroupEnd& end, int asked_by) {
  const process::Exit& exit = end.exit;
  if (signals::stop() == signals::Stop::Now) return {contract::kExitStoppedNow};
  // Asked to stop before it had a handler for that: nothing was begun, so nothing is lost.
  if (exit.signal != 0 && exit.signal == asked_by) return {kExitResumable};
  if (exit.code == 0 || exit.code == kExitResumable) return {exit.code};
  const auto error = contract::error_of_exit(exit.shell_code());
  const bool has_said = error && *error != ErrorCode::Internal;
  const contract::WorkerCall& call = session.call_of(static_cast<size_t>(end.rank));
  const fs::path& log = session.log_of(static_cast<size_t>(end.rank));
  const auto progress = contract::read_progress(call.progress);
  FirstCause cause{.rank = end.rank, .host = host_of(call), .exit = exit, .progress = progress, .log = log};
  if (!session.others.empty()) {
    cause.message = message_of(session, end);
    note("zoetrope: error: " + text(cause));
    const bool was_waiting = !has_said || *error == ErrorCode::PeerLost || *error == ErrorCode::Timeout;
    const std::string evidence =
        was_waiting && progress ? flight_evidence(session, progress->generation) : "";
    if (!evidence.empty()) note("zoetrope: evidence: " + evidence);
    return {exit.shell_code(), has_said};
  }
  if (!has_said) {
    cause.is_alone = true;
    note("zoetrope: error: " + text(cause));
  } else if (const std::string message = message_of(session, end);
             last_error(log).empty() && !message.empty()) {
    note("zoetrope: error: " + message);
  }
  if (error) print_hint(*error);
  return {exit.shell_code(), has_said};
}

Result<std::unique_ptr<RankGroup>> start_ranks(const WorkerSession& session) {
  std::unique_ptr<RankGroup> group;
  if (session.hosts.empty()) {
    ZT_TRY_ASSIGN(auto here, WorkerGroup::make(session));
    group = std::make_unique<WorkerGroup>(std::move(here));
  } else {
    group = std::make_unique<HostGroup>(session.hosts);
  }
  for (size_t rank = 0; rank < group->size(); ++rank)
    ZT_TRY(group->start(rank, session.call.generation, /*number=*/0));
  return group;
}

}  // namespace

std::string host_of(const contract::WorkerCall& call) {
  return call.place.host.empty() ? host_name() : call.place.host;
}

Result<fs::path> find_worker() {
  if (const char* named = std::getenv("ZT_WORKER"); named && *named) {
    if (::access(named, X_OK) == 0) return fs::path(named);
    return fail(
        ErrorCode::NotFound,
        fmt::format("ZT_WORKER is set to {}, which is not an executable file: correct or unset it", named));
  }
  return find_sibling("zoetrope-worker");
}

Result<WorkerEnd> supervise(const WorkerSession& session) {
  LogTail log(session.log);
  ZT_TRY_ASSIGN(const auto ranks, start_ranks(session));
  RankGroup& workers = *ranks;

  const auto traits = terminal::inspect(2);
  terminal::ProgressLine line(traits, [](std::string_view s) { (void)!::write(2, s.data(), s.size()); });
  Silence silence;
  StopRelay relay(session.call.verb);
  Recovery recovery(session);
  std::string results;
  bool is_folder_lost = false;
  while (!workers.have_all_ended() || recovery.awaits_hosts()) {
    if (session.keep_results) results += workers.read_out();
    line.print_above(log.read());
    line.print_above(recovery.holds_stop(workers) ? relay.hold() : relay.pass_on(workers));
    if (relay.is_overdue()) workers.send(SIGKILL);
    if (const auto progress = contract::read_progress(session.call.progress)) {
      line.update(progress_text(*progress, traits.width - 1, silence.of(*progress)));
    }
    if (workers.have_all_ended()) std::this_thread::sleep_for(kTick);  // there is nobody to wait for
    ZT_TRY(workers.look(kTick));
    line.print_above(workers.take_news());
    if (!is_folder_lost && has_lost_folder(session)) {
      is_folder_lost = true;
      line.print_above(fmt::format(
          "zoetrope: the run folder {} is gone: was it moved or removed? Until it is back nothing is "
          "saved; Ctrl-C ends the run\n",
          session.call.run_dir.string()));
    }
    ZT_TRY_ASSIGN(const std::string lines, recovery.tend(workers));
    line.print_above(lines);
  }
  line.clear();
  for (std::string lines = log.read(); !lines.empty(); lines = log.read()) line.print_above(lines);
  if (const std::string rest = log.rest(); !rest.empty()) line.print_above(rest + "\n");
  if (session.keep_results) results += workers.read_out();
  const GroupEnd ended = workers.end(/*saved=*/session.restarts.has_value());
  WorkerEnd end = conclude(session, ended, recovery.has_stopped_all() ? SIGTERM : signals::requested_by());
  if (end.code != 0 && can_be_resumed(session, ended.exit)) end.code = kExitResumable;
  end.results = std::move(results);
  return end;
}

}  // namespace zt::cli
