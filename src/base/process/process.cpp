// SPDX-License-Identifier: Apache-2.0
#include "base/process/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string_view>

#include "base/clock.hpp"
#include "base/files/files.hpp"

namespace zt::process {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
constexpr const char* kNoFile = "/dev/null";

void close_fd(int& fd) {
  if (fd >= 0) ::close(std::exchange(fd, -1));
}

// Everything the child needs between fork and exec, prepared by the parent: after fork only async-signal-safe
// calls are allowed, which rules out allocation.
struct Plan {
  std::string program;
  std::vector<std::string> env_text;
  std::vector<char*> argv;
  std::vector<char*> envp;
  const char* folder = nullptr;
  int in_fd = -1, out_fd = -1, err_fd = -1;  // -1: inherit
  std::vector<int> inherited;
  int report_fd = -1;  // a failed step is written here
  int death_signal = 0;
  pid_t parent = 0;
};

enum class ChildStep : int { EnterFolder, Execute };
struct ChildFailure {
  ChildStep step;
  int error;
};

[[noreturn]] void child_fail(const Plan& plan, ChildStep step) {
  const ChildFailure failure{step, errno};
  [[maybe_unused]] const ssize_t n = ::write(plan.report_fd, &failure, sizeof failure);
  ::_exit(127);
}

[[noreturn]] void run_child(const Plan& plan) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, plan.death_signal);
  if (::getppid() != plan.parent) ::_exit(127);  // the parent ended before prctl took effect
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int ignored : {SIGPIPE, SIGXFSZ}) ::signal(ignored, SIG_DFL);  // see base/signals.hpp
  if (plan.in_fd >= 0) ::dup2(plan.in_fd, 0);
  if (plan.out_fd >= 0) ::dup2(plan.out_fd, 1);
  if (plan.err_fd >= 0) ::dup2(plan.err_fd, 2);
  for (const int fd : plan.inherited) ::fcntl(fd, F_SETFD, 0);
  if (plan.folder && ::chdir(plan.folder) != 0) child_fail(plan, ChildStep::EnterFolder);
  ::execve(plan.program.c_str(), plan.argv.data(), plan.envp.data());
  child_fail(plan, ChildStep::Execute);
}

Result<std::string> find_program(const std::string& name) {
  std::error_code ec;
  if (name.find('/') != std::string::npos) return fs::absolute(name, ec).string();
  const char* path = std::getenv("PATH");
  std::string_view rest = path ? path : "/usr/bin:/bin";
  while (!rest.empty()) {
    const size_t end = rest.find(':');
    const fs::path candidate = fs::path(rest.substr(0, end)) / name;
    if (::access(candidate.c_str(), X_OK) == 0 && fs::is_regular_file(candidate, ec))
      return candidate.string();
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  }
  return fail(ErrorCode::NotFound, fmt::format("the program '{}' is not on PATH: install it", name));
}

std::vector<std::string> merged_environment(const std::vector<std::pair<std::string, std::string>>& added) {
  auto all = environment();
  for (const auto& [name, value] : added) all[name] = value;
  std::vector<std::string> out;
  for (const auto& [name, value] : all) out.push_back(name + "=" + value);
  return out;
}

// The descriptors of one stream: the parent's end (pipes only) and the child's.
struct Ends {
  int parent = -1;
  int child = -1;
};

Result<Ends> open_stream(const Stream& stream) {
  Ends ends;
  switch (stream.kind) {
    case Stream::Kind::Inherit:
      break;
    case Stream::Kind::Discard:
      ends.child = ::open(kNoFile, O_WRONLY | O_CLOEXEC);
      if (ends.child < 0) return fail(files::errno_error("open", kNoFile, errno));
      break;
    case Stream::Kind::File:
      ends.child = ::open(stream.file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
      if (ends.child < 0) return fail(files::errno_error("open", stream.file, errno));
      break;
    case Stream::Kind::Pipe: {
      std::array<int, 2> fds{};
      if (::pipe2(fds.data(), O_CLOEXEC) != 0) return fail(files::errno_error("make", "a pipe", errno));
      ::fcntl(fds[0], F_SETFL, O_NONBLOCK);
      ends = {fds[0], fds[1]};
      break;
    }
  }
  return ends;
}

Result<Ends> open_input(bool has_input) {
  Ends ends;
  std::array<int, 2> fds{};
  if (!has_input && (ends.child = ::open(kNoFile, O_RDONLY | O_CLOEXEC)) < 0)
    return fail(files::errno_error("open", kNoFile, errno));
  if (!has_input) return ends;
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) return fail(files::errno_error("make", "a pipe", errno));
  ::fcntl(fds[1], F_SETFL, O_NONBLOCK);
  return Ends{fds[1], fds[0]};
}

Error failure_error(const SpawnOptions& options, const ChildFailure& failure) {
  if (failure.step == ChildStep::EnterFolder) {
    return files::errno_error("enter folder", options.working_folder, failure.error);
  }
  return files::errno_error("start", options.argv.front(), failure.error);
}

Exit to_exit(int status) {
  if (WIFSIGNALED(status)) return {-1, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

std::string read_ready(int& fd) {
  std::string out;
  std::array<char, 1 << 14> buffer;
  while (fd >= 0) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n > 0) out.append(buffer.data(), static_cast<size_t>(n));
    if (n == 0) close_fd(fd);
    if (n < 0 && errno != EINTR) {
      if (errno != EAGAIN) close_fd(fd);
      break;
    }
  }
  return out;
}

void append_limited(std::string& to, const std::string& more, size_t limit) {
  to.append(more, 0, std::min(more.size(), limit - std::min(limit, to.size())));
}

}  // namespace

std::string Exit::text() const {
  return signal != 0 ? fmt::format("signal {} ({})", signal, ::strsignal(signal))
                     : fmt::format("exit code {}", code);
}

Result<Child> Child::spawn(const SpawnOptions& options) {
  if (options.argv.empty()) return fail(ErrorCode::InvalidArgument, "no program to start was given");
  Plan plan;
  ZT_TRY_ASSIGN(plan.program, find_program(options.argv.front()));
  plan.env_text = merged_environment(options.env);
  for (const auto& arg : options.argv) plan.argv.push_back(const_cast<char*>(arg.c_str()));
  for (auto& entry : plan.env_text) plan.envp.push_back(entry.data());
  plan.argv.push_back(nullptr);
  plan.envp.push_back(nullptr);
  if (!options.working_folder.empty()) plan.folder = options.working_folder.c_str();
  plan.inherited = options.inherited;
  plan.death_signal = options.parent_death_signal;
  plan.parent = ::getpid();

  Child child(-1, -1, -1, -1);  // closes the parent's ends on every way out
  Status ready;
  const auto take = [&ready](Result<Ends> ends, int& parent_fd, int& child_fd) {
    if (!ends) ready = fail(std::move(ends.error()));
    if (ends) parent_fd = ends->parent, child_fd = ends->child;
  };
  take(open_stream(options.out), child.out_fd_, plan.out_fd);
  if (ready) take(open_stream(options.err), child.err_fd_, plan.err_fd);
  if (ready) take(open_input(options.has_input), child.in_fd_, plan.in_fd);
  std::array<int, 2> report{-1, -1};
  if (ready && ::pipe2(report.data(), O_CLOEXEC) != 0)
    ready = fail(files::errno_error("make", "a pipe", errno));
  if (ready) {
    plan.report_fd = report[1];
    child.pid_ = ::fork();
    if (child.pid_ == 0) run_child(plan);
    if (child.pid_ < 0)
      ready = fail(ErrorCode::Exhausted, fmt::format("cannot start a process: {}", std::strerror(errno)));
  }
  for (int* fd : {&plan.in_fd, &plan.out_fd, &plan.err_fd, &report[1]}) close_fd(*fd);
  if (ready) {
    ::setpgid(child.pid_, child.pid_);  // also done by the child: whoever comes first
    ChildFailure failure{};
    ssize_t n;
    do n = ::read(report[0], &failure, sizeof failure);
    while (n < 0 && errno == EINTR);
    if (n == sizeof failure) ready = fail(failure_error(options, failure));
  }
  close_fd(report[0]);
  ZT_TRY(ready);
  return child;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      in_fd_(std::exchange(other.in_fd_, -1)),
      out_fd_(std::exchange(other.out_fd_, -1)),
      err_fd_(std::exchange(other.err_fd_, -1)),
      exit_(other.exit_) {}

Child::~Child() {
  if (pid_ > 0 && !exit_) {
    ::kill(-pid_, SIGKILL);
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  close_pipes();
}

void Child::release() && {
  close_pipes();
  pid_ = -1;
}

void Child::close_pipes() {
  for (int* fd : {&in_fd_, &out_fd_, &err_fd_}) close_fd(*fd);
}

Result<std::optional<Exit>> Child::poll() {
  if (exit_) return exit_;
  int status = 0;
  pid_t got;
  do got = ::waitpid(pid_, &status, WNOHANG);
  while (got < 0 && errno == EINTR);
  if (got < 0)
    return fail(ErrorCode::Internal,
                fmt::format("cannot wait for process {}: {}", pid_, std::strerror(errno)));
  if (got == pid_) exit_ = to_exit(status);
  return exit_;
}

Result<Exit> Child::wait(std::chrono::milliseconds timeout) {
  // Polled: a wait for a child with a deadline has no portable call, and nothing here is in a hurry. The
  // pause grows so that a short program is seen at once and a long one costs nothing.
  const auto deadline = Clock::now() + timeout;
  constexpr std::chrono::microseconds kLongestPause{20000};
  std::chrono::microseconds pause{200};
  for (;;) {
    ZT_TRY_ASSIGN(const auto ended, poll());
    if (ended) return *ended;
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      return fail(ErrorCode::Timeout,
                  fmt::format("process {} still runs after {} ms", pid_, timeout.count()));
    }
    clock::sleep(std::min(pause, left));
    pause = std::min(2 * pause, kLongestPause);
  }
}

Status Child::send(int signal) const {
  if (exit_ || ::kill(-pid_, signal) == 0 || errno == ESRCH) return {};
  return fail(files::errno_error("signal", fmt::format("process {}", pid_), errno));
}

Status Child::write_in(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(in_fd_, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return fail(ErrorCode::Unavailable,
                  fmt::format("process {} reads nothing: {}", pid_, std::strerror(errno)));
    text.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

std::string Child::read_out() { return read_ready(out_fd_); }
std::string Child::read_err() { return read_ready(err_fd_); }

Result<Output> run(SpawnOptions options, std::chrono::milliseconds timeout, size_t limit_bytes) {
  options.out = Stream::pipe();
  options.err = Stream::pipe();
  ZT_TRY_ASSIGN(auto child, Child::spawn(options));
  const auto deadline = Clock::now() + timeout;
  Output output;
  for (;;) {
    const auto ended = child.poll();
    append_limited(output.out, child.read_out(), limit_bytes);
    append_limited(output.err, child.read_err(), limit_bytes);
    if (!ended) return fail(ended.error());
    if (*ended) {
      output.exit = **ended;
      return output;
    }
    if (Clock::now() >= deadline) {
      return fail(ErrorCode::Timeout, fmt::format("{} did not end within {} ms and was killed",
                                                  options.argv.front(), timeout.count()));
    }
    clock::sleep(std::chrono::milliseconds(1));
  }
}

std::map<std::string, std::string, std::less<>> environment() {
  std::map<std::string, std::string, std::less<>> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals != std::string_view::npos) all.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return all;
}

Result<fs::path> program() {
  std::error_code ec;
  fs::path self = fs::read_symlink("/proc/self/exe", ec);
  if (ec) return fail(ErrorCode::Unavailable, "cannot read /proc/self/exe: is /proc mounted?");
  return self;
}

Result<fs::path> program_folder() {
  ZT_TRY_ASSIGN(const fs::path self, program());
  return self.parent_path();
}

}  // namespace zt::process
