// SPDX-License-Identifier: Apache-2.0
// Named pipes where files are wanted: opening one to read waits until somebody writes.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>

namespace zt::test {

inline std::filesystem::path make_pipe(const std::filesystem::path& path) {
  if (::mkfifo(path.c_str(), 0600) != 0) throw std::runtime_error("cannot make the pipe " + path.string());
  return path;
}

/// Whether `read`, which looks at the pipe, comes back though nobody writes. One that waits is let go after
/// all, so that the test ends.
template <class Read>
bool comes_back(const std::filesystem::path& pipe, Read read) {
  std::future<void> done = std::async(std::launch::async, read);
  const bool is_back = done.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  while (done.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
    ::close(::open(pipe.c_str(), O_WRONLY | O_NONBLOCK));
    std::this_thread::yield();
  }
  return is_back;
}

}  // namespace zt::test
