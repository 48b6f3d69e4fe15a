// SPDX-License-Identifier: Apache-2.0
// Ctrl-C and SIGTERM as a state that loops poll. SIGINT or SIGTERM once asks to finish the step, save and
// leave with kExitResumable, and so does SIGHUP (the terminal is gone) unless it is ignored, as under nohup;
// SIGINT after that means leave now. Repeated SIGTERM stays one request: schedulers send it to every process
// of a job, and a launcher passes its own on as well.
#pragma once

#include <signal.h>

namespace zt::signals {

enum class Stop {
  None,
  Requested,  ///< finish the step, save, exit with kExitResumable
  Now,        ///< leave at once
};

/// Who handles Stop::Now.
enum class OnNow {
  Exit,    ///< the handler ends the process with 130: for a worker, which may be inside a long step
  Report,  ///< only the state changes: for a launcher, which must stop its children first
};

/// Installs the handlers of this process and ignores SIGPIPE and SIGXFSZ: a reader that is gone and a file
/// beyond `ulimit -f` are errors of the write. Call once, at the start of main.
void install(OnNow on_now);

/// While one lives, SIGINT, SIGTERM and SIGHUP end the process at once, as if nothing was installed: for work
/// that does not poll stop() because the same call, repeated, goes on with what is there.
class EndAtOnce {
 public:
  EndAtOnce();
  ~EndAtOnce();
  EndAtOnce(const EndAtOnce&) = delete;
  EndAtOnce& operator=(const EndAtOnce&) = delete;

 private:
  struct sigaction interrupt_ {};
  struct sigaction terminate_ {};
  struct sigaction hang_up_ {};
};

/// The state. Async-signal-safe and cheap: poll it every step. Threads: any.
Stop stop();
/// The signal that asked first (SIGINT, SIGTERM, SIGHUP), 0 if none; for messages.
int requested_by();

/// How often SIGUSR2 came: somebody wants to know what this process does. It changes nothing else.
int evidence_requests();

/// The state that follows `state` when `signal` arrives: the rule above as a pure function.
Stop next(Stop state, int signal);

/// Back to Stop::None: a test's way to start clean.
void reset();

}  // namespace zt::signals
