// SPDX-License-Identifier: Apache-2.0
// The ranks of a test as real processes, forked from it, with a rendezvous in the test itself. Parent and
// rank speak in lines, so nobody sleeps to wait for the other. No rank outlives this object, nor the test.
//
// A forked process has only the thread that forked. OpenMP's pool of threads, once some operation in the test
// has made one, seems to be there in the ranks too, and the first operation of theirs that it should help
// with waits for it for ever. So the tests of a program that includes this compute with one thread, whatever
// OMP_NUM_THREADS says, and ranks are not forked beside others.
#pragma once

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/signals.hpp"
#include "rendezvous/client.hpp"
#include "rendezvous/server.hpp"

namespace zt::test {

/// One end of the conversation.
class LineChannel {
 public:
  explicit LineChannel(int fd) : fd_(fd) {}
  void say(const std::string& line) const {
    const std::string text = line + "\n";
    [[maybe_unused]] const ssize_t n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  /// The next line; "<silence>" at the deadline, "<end>" if the other end is gone.
  std::string hear(clock::Deadline deadline) {
    for (;;) {
      const size_t end = heard_.find('\n');
      if (end != std::string::npos) {
        const std::string line = heard_.substr(0, end);
        heard_.erase(0, end + 1);
        return line;
      }
      pollfd polled{fd_, POLLIN, 0};
      if (::poll(&polled, 1, static_cast<int>(clock::left(deadline).count())) == 0) return "<silence>";
      char buffer[4096];
      const ssize_t n = ::read(fd_, buffer, sizeof buffer);
      if (n <= 0) return "<end>";
      heard_.append(buffer, static_cast<size_t>(n));
    }
  }

 private:
  int fd_;
  std::string heard_;
};

/// What a rank's body gets.
struct RankSeat {
  int rank = 0;
  int size = 0;
  uint16_t port = 0;  ///< of the rendezvous, on 127.0.0.1
  LineChannel* parent = nullptr;

  /// A client of that generation whose member name is the rank. Ends the process if it can't connect.
  std::shared_ptr<rendezvous::Client> meet(int64_t generation = 1) const {
    rendezvous::ClientOptions options;
    options.host = "127.0.0.1";
    options.port = port;
    options.token = "test";
    options.generation = generation;
    options.member = std::to_string(rank);
    auto client = rendezvous::Client::connect(options, clock::in(std::chrono::seconds(20)));
    if (!client) {
      parent->say("cannot connect: " + client.error().text());
      ::_exit(1);
    }
    return std::move(*client);
  }
};

class OneThread : public ::testing::Environment {
  void SetUp() override { at::set_num_threads(1); }
};
inline ::testing::Environment* const kOneThread = ::testing::AddGlobalTestEnvironment(new OneThread);

class RankProcesses {
 public:
  /// Forks `size` ranks that run `body` and say what it returns. Throws if the test has threads.
  RankProcesses(int size, const std::function<std::string(const RankSeat&)>& body) {
    // A thread that was joined is in the kernel's list for a moment longer.
    for (const auto deadline = clock::in(std::chrono::seconds(2)); num_threads() != 1;
         std::this_thread::yield())
      if (clock::left(deadline).count() == 0)
        throw std::runtime_error("the test has " + std::to_string(num_threads()) +
                                 " threads, which ranks would lack");
    for (int rank = 0; rank < size; ++rank) start({rank, size, 0, nullptr}, body);
    server_ = std::move(*rendezvous::Server::start({"127.0.0.1", "test"}));
    for (const Rank& one : ranks_) one.channel.say(std::to_string(server_->port()));
  }
  RankProcesses(const RankProcesses&) = delete;
  RankProcesses& operator=(const RankProcesses&) = delete;
  ~RankProcesses() {
    for (const Rank& one : ranks_) ::kill(one.pid, SIGKILL);
    for (const Rank& one : ranks_) {
      ::waitpid(one.pid, nullptr, 0);
      ::close(one.fd);
    }
  }

  std::string hear(int rank, std::chrono::milliseconds within = std::chrono::seconds(60)) {
    return ranks_[static_cast<size_t>(rank)].channel.hear(clock::in(within));
  }
  void say(int rank, const std::string& line) { ranks_[static_cast<size_t>(rank)].channel.say(line); }
  void signal(int rank, int number) { ::kill(ranks_[static_cast<size_t>(rank)].pid, number); }
  /// Every rank's next line is "ok".
  void expect_all_ok() {
    for (size_t rank = 0; rank < ranks_.size(); ++rank)
      EXPECT_EQ(hear(static_cast<int>(rank)), "ok") << "rank " << rank;
  }

 private:
  struct Rank {
    pid_t pid;
    int fd;
    LineChannel channel;
  };
  static std::ptrdiff_t num_threads() {
    const std::filesystem::directory_iterator threads("/proc/self/task");
    return std::distance(begin(threads), end(threads));
  }
  void start(RankSeat seat, const std::function<std::string(const RankSeat&)>& body) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
    const pid_t test = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) std::abort();
    if (pid != 0) {
      ::close(ends[1]);
      ranks_.push_back({pid, ends[0], LineChannel(ends[0])});
      return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != test) ::_exit(1);
    signals::install(signals::OnNow::Exit);  // as the worker does
    ::close(ends[0]);
    for (const Rank& other : ranks_) ::close(other.fd);
    LineChannel parent(ends[1]);
    seat.parent = &parent;
    seat.port = static_cast<uint16_t>(std::atoi(parent.hear(clock::in(std::chrono::seconds(20))).c_str()));
    parent.say(body(seat));
    ::_exit(0);
  }
  std::vector<Rank> ranks_;
  std::unique_ptr<rendezvous::Server> server_;
};

}  // namespace zt::test
