// SPDX-License-Identifier: Apache-2.0
#include "base/signals.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace zt::signals {
namespace {

constexpr int kExitNow = 128 + SIGINT;
std::atomic<int> g_stop{0};
std::atomic<int> g_requested_by{0};
std::atomic<int> g_evidence_requests{0};
std::atomic<bool> g_exit_on_now{false};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may only touch lock-free atomics");

void handle(int signal) {
  const Stop before = static_cast<Stop>(g_stop.load());
  const Stop after = next(before, signal);
  if (before == Stop::None) g_requested_by = signal;
  g_stop = static_cast<int>(after);
  if (after == Stop::Now && g_exit_on_now) ::_exit(kExitNow);
}

void count_request(int) { ++g_evidence_requests; }

/// As nohup leaves SIGHUP.
bool is_ignored(int signal) {
  struct sigaction present {};
  return ::sigaction(signal, nullptr, &present) == 0 && present.sa_handler == SIG_IGN;
}

}  // namespace

void install(OnNow on_now) {
  g_exit_on_now = on_now == OnNow::Exit;
  struct sigaction action {};
  action.sa_handler = handle;
  ::sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  if (!is_ignored(SIGHUP)) ::sigaction(SIGHUP, &action, nullptr);
  action.sa_handler = count_request;
  ::sigaction(SIGUSR2, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
  ::sigaction(SIGXFSZ, &action, nullptr);
}

EndAtOnce::EndAtOnce() {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(SIGINT, &action, &interrupt_);
  ::sigaction(SIGTERM, &action, &terminate_);
  ::sigaction(SIGHUP, is_ignored(SIGHUP) ? nullptr : &action, &hang_up_);
}

EndAtOnce::~EndAtOnce() {
  ::sigaction(SIGINT, &interrupt_, nullptr);
  ::sigaction(SIGTERM, &terminate_, nullptr);
  ::sigaction(SIGHUP, &hang_up_, nullptr);
}

Stop stop() { return static_cast<Stop>(g_stop.load(std::memory_order_relaxed)); }

int requested_by() { return g_requested_by.load(std::memory_order_relaxed); }

int evidence_requests() { return g_evidence_requests.load(std::memory_order_relaxed); }

Stop next(Stop state, int signal) {
  if (state == Stop::None) return Stop::Requested;
  return signal == SIGINT ? Stop::Now : state;
}

void reset() {
  g_stop = 0;
  g_requested_by = 0;
}

}  // namespace zt::signals
