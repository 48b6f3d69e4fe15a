// SPDX-License-Identifier: Apache-2.0
// Child processes that cannot be lost: each runs in its own process group, dies with its parent, and is
// reaped. Use run() for a short tool whose output is wanted, Child for a long-lived worker.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace zt::process {

/// Where one output stream of a child goes.
struct Stream {
  enum class Kind { Inherit, Discard, Pipe, File };
  Kind kind = Kind::Inherit;
  std::filesystem::path file;  ///< for File: appended to, made if absent

  static Stream discard() { return {Kind::Discard, {}}; }
  static Stream pipe() { return {Kind::Pipe, {}}; }
  static Stream to_file(std::filesystem::path path) { return {Kind::File, std::move(path)}; }
};

struct SpawnOptions {
  std::vector<std::string> argv;  ///< argv[0] without a slash is looked up on PATH
  /// Added to the parent's environment, replacing same names.
  std::vector<std::pair<std::string, std::string>> env;
  std::filesystem::path working_folder;  ///< empty: the parent's
  bool has_input = false;                ///< standard input is a pipe for write_in(), else /dev/null
  Stream out;
  Stream err;
  std::vector<int> inherited;  ///< descriptors that the child has under the same numbers
  /// Sent by the kernel when the thread that called spawn() ends. SIGTERM gives a worker the chance to save;
  /// 0 is none.
  int parent_death_signal = SIGKILL;
};

/// How a process ended: by itself with `code`, or by `signal` (then code is -1).
struct Exit {
  int code = -1;
  int signal = 0;
  bool ok() const { return signal == 0 && code == 0; }
  /// What a shell would report: the code, or 128 + signal.
  int shell_code() const { return signal != 0 ? 128 + signal : code; }
  /// "exit code 3", "signal 9 (Killed)".
  std::string text() const;
};

/// A running or ended child. The destructor kills the whole group of a child that
/// still runs and reaps it. Threads: one caller at a time.
class Child {
 public:
  /// Errors: NotFound or Permission if the program, a file or the working folder can't be used; Exhausted if
  /// the system has no process or descriptor left.
  static Result<Child> spawn(const SpawnOptions& options);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  /// Leaves it alone from here on: it is not killed, waited for or signalled by this object, nor, with a
  /// death signal of 0, when this process ends. What it does after that, its end included, is its own affair.
  void release() &&;

  pid_t pid() const { return pid_; }
  /// The exit if it has ended; does not block.
  Result<std::optional<Exit>> poll();
  /// Blocks until it ends. Errors: Timeout when it still runs after `timeout`.
  Result<Exit> wait(std::chrono::milliseconds timeout);
  /// Sends `signal` to the child's whole process group; no error if it has ended.
  Status send(int signal) const;
  /// To a piped standard input, which ends with this object. Errors: Unavailable if the child takes no more.
  Status write_in(std::string_view text);
  /// Bytes that are ready on the piped stdout / stderr; empty when there are none or the stream is not a
  /// pipe.
  std::string read_out();
  std::string read_err();

 private:
  Child(pid_t pid, int in_fd, int out_fd, int err_fd)
      : pid_(pid), in_fd_(in_fd), out_fd_(out_fd), err_fd_(err_fd) {}
  void close_pipes();
  pid_t pid_;
  int in_fd_;
  int out_fd_;
  int err_fd_;
  std::optional<Exit> exit_;
};

struct Output {
  Exit exit;
  std::string out;
  std::string err;
};

/// Runs a program to its end and collects both streams, up to `limit_bytes` each (what follows is dropped).
/// Errors: as Child::spawn, and Timeout, after which the group has been killed. A non-zero exit is not an
/// error here.
Result<Output> run(SpawnOptions options, std::chrono::milliseconds timeout,
                   size_t limit_bytes = size_t{16} << 20);

/// This process's variables; of several of one name the first, as getenv.
std::map<std::string, std::string, std::less<>> environment();
/// The file of the running program. Errors: Unavailable without /proc.
Result<std::filesystem::path> program();
/// The folder of the running program, for finding what is installed beside it.
Result<std::filesystem::path> program_folder();

}  // namespace zt::process
