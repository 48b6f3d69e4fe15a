// SPDX-License-Identifier: Apache-2.0
#include "rendezvous/server.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.hpp"
#include "rendezvous/internal/table.hpp"
#include "rendezvous/wire.hpp"

namespace zt::rendezvous {
namespace {

/// Of 4096 ranks: themselves, their saves, their news, a group's watch.
constexpr size_t kMaxConnections = 16384;
constexpr size_t kMaxGreetingBytes = 4096;  ///< strangers get no larger buffer
constexpr int kBacklog = 1024;

struct Connection {
  int fd = -1;
  bool has_greeted = false;
  bool is_closing = false;  ///< removed at the end of the round
  std::string in, out;
};

/// Up to what the system allows: systemd and shells begin with 1024, enough for some 300 ranks. Ranks that
/// find none would take this process for dead.
Status allow_descriptors(size_t ranks) {
  constexpr rlim_t kWanted = kMaxConnections + 512;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= kWanted) return {};
  limit.rlim_cur = std::min(limit.rlim_max, kWanted);
  ::setrlimit(RLIMIT_NOFILE, &limit);
  constexpr size_t kOfProcess = 16,
                   kOfRank = 3;  // the streams, logs and sockets; itself, its saves, its news
  const size_t needed = kOfProcess + kOfRank * ranks;
  if (ranks == 0 || limit.rlim_cur >= needed) return {};
  return fail(ErrorCode::Exhausted,
              fmt::format("{} ranks need {} open files here, and the limit is {}: raise it (`ulimit -n {}`; "
                          "LimitNOFILE, limits.conf)",
                          ranks, needed, limit.rlim_cur, std::max<size_t>(1024, needed)));
}

/// A listening socket on a port of the kernel's choice.
Result<int> listen_on(const std::string& address) {
  sockaddr_storage storage{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  socklen_t size = 0;
  if (::inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    storage.ss_family = AF_INET;
    size = sizeof *v4;
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    storage.ss_family = AF_INET6;
    size = sizeof *v6;
  } else {
    return fail(ErrorCode::InvalidArgument, fmt::format("'{}' is not a numeric address", address));
  }
  const int fd = ::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return fail(ErrorCode::Exhausted, fmt::format("cannot make a socket: {}", std::strerror(errno)));
  if (::bind(fd, reinterpret_cast<sockaddr*>(&storage), size) != 0 || ::listen(fd, kBacklog) != 0) {
    const int error = errno;
    ::close(fd);
    return fail(ErrorCode::InvalidArgument,
                fmt::format("cannot listen on {}: {}", address, std::strerror(error)));
  }
  return fd;
}

uint16_t port_of(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
  return ntohs(storage.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port
                                             : reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
}

}  // namespace

/// A client whose host died without a word is seen within half a minute.
void watch(int fd) {
  const int on = 1, idle_s = 15, pause_s = 5, num_probes = 3;
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &pause_s, sizeof pause_s);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &num_probes, sizeof num_probes);
}

/// The sockets around a Table. What is not public runs on the thread.
class Server::Loop {
 public:
  Loop(int listen_fd, int wake_fd, std::string token)
      : listen_fd_(listen_fd), wake_fd_(wake_fd), port_(port_of(listen_fd)), table_(std::move(token)) {
    thread_ = std::thread([this] { run(); });
  }
  ~Loop() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wake_fd_, &one, sizeof one);
    thread_.join();
    for (const auto& [id, connection] : connections_) ::close(connection.fd);
    ::close(listen_fd_);
    ::close(wake_fd_);
  }
  uint16_t port() const { return port_; }
  int64_t generation() const { return generation_.load(); }
  bool wait_until_deserted(clock::Deadline first_by) const {
    std::unique_lock lock(visits_mutex_);
    if (!visits_changed_.wait_until(lock, first_by, [this] { return had_clients_; })) return false;
    visits_changed_.wait(lock, [this] { return !has_clients_; });
    return true;
  }

 private:
  void run();
  void accept_all();
  void warn_of_limit(size_t num_connections);
  void receive(uint64_t id, Connection& connection);
  /// False once a frame is malformed or too long.
  bool handle_frames(uint64_t id, Connection& connection);
  void send(Connection& connection);
  void deliver(std::vector<Table::Answer> answers);
  void remove_closed();
  void note_visits();

  const int listen_fd_, wake_fd_;
  const uint16_t port_;
  Table table_;
  std::map<uint64_t, Connection> connections_;
  uint64_t next_id_ = 1;
  bool has_warned_ = false;
  bool can_accept_ = true;  ///< false while descriptors are used up, until a connection ends
  std::atomic<int64_t> generation_ = 0;
  mutable std::mutex visits_mutex_;  ///< of the next three
  mutable std::condition_variable visits_changed_;
  bool had_clients_ = false, has_clients_ = false;
  std::thread thread_;
};

void Server::Loop::run() {
  for (;;) {
    std::vector<pollfd> polled{{wake_fd_, POLLIN, 0}, {listen_fd_, short(can_accept_ ? POLLIN : 0), 0}};
    std::vector<uint64_t> ids;
    for (const auto& [id, connection] : connections_) {
      // A client with an answer to fetch is not read from: nothing piles up for those who never read.
      polled.push_back({connection.fd, short(connection.out.empty() ? POLLIN : POLLOUT), 0});
      ids.push_back(id);
    }
    const std::optional<clock::Deadline> expiry = table_.next_expiry();
    constexpr int64_t kLongestPollMs = 60'000;
    const int timeout =
        expiry ? static_cast<int>(std::min<int64_t>(clock::left(*expiry).count(), kLongestPollMs)) : -1;
    if (::poll(polled.data(), polled.size(), timeout) < 0) continue;  // EINTR
    if (polled[0].revents != 0) return;
    if (polled[1].revents != 0) accept_all();
    for (size_t i = 0; i < ids.size(); ++i) {
      if (polled[i + 2].revents == 0) continue;
      Connection& connection = connections_.at(ids[i]);
      if (connection.out.empty())
        receive(ids[i], connection);
      else
        send(connection);
    }
    deliver(table_.expire(std::chrono::steady_clock::now()));
    remove_closed();
    note_visits();
    generation_ = table_.generation();
  }
}

void Server::Loop::warn_of_limit(size_t num_connections) {
  if (!std::exchange(has_warned_, true))
    log::warn("rendezvous",
              fmt::format("ranks are turned away: {} connections are the most (ulimit -n)", num_connections));
}

void Server::Loop::accept_all() {
  for (;;) {
    const int fd = ::accept4(listen_fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EMFILE || errno == ENFILE) {
        warn_of_limit(connections_.size());
        can_accept_ = false;
      }
      return;
    }
    if (connections_.size() >= kMaxConnections) {
      warn_of_limit(kMaxConnections);
      ::close(fd);
      continue;
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(fd);
    connections_[next_id_++].fd = fd;
  }
}

void Server::Loop::receive(uint64_t id, Connection& connection) {
  std::array<char, 1 << 16> buffer;
  const ssize_t n = ::read(connection.fd, buffer.data(), buffer.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0) {
    connection.in.append(buffer.data(), static_cast<size_t>(n));
    if (handle_frames(id, connection)) return;
  }
  connection.is_closing = true;
  connection.out.clear();
}

bool Server::Loop::handle_frames(uint64_t id, Connection& connection) {
  while (connection.in.size() >= kLengthBytes && !connection.is_closing) {
    const size_t length = payload_bytes(connection.in);
    if (length > (connection.has_greeted ? kMaxPayloadBytes : kMaxGreetingBytes)) return false;
    if (connection.in.size() < kLengthBytes + length) return true;
    const std::optional<Frame> request = decode(std::string_view(connection.in).substr(kLengthBytes, length));
    connection.in.erase(0, kLengthBytes + length);
    if (!request) return false;
    deliver(table_.handle(id, *request, std::chrono::steady_clock::now()));
    connection.has_greeted = true;  // or it is closing
  }
  return true;
}

void Server::Loop::send(Connection& connection) {
  while (!connection.out.empty()) {
    const ssize_t n = ::send(connection.fd, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) {
      connection.is_closing = true;
      connection.out.clear();
      return;
    }
    connection.out.erase(0, static_cast<size_t>(n));
  }
}

void Server::Loop::deliver(std::vector<Table::Answer> answers) {
  for (const Table::Answer& answer : answers) {
    const auto found = connections_.find(answer.connection);
    if (found == connections_.end()) continue;
    Connection& connection = found->second;
    connection.out += encode(answer.reply);
    send(connection);
    if (answer.close_after) connection.is_closing = true;
  }
}

void Server::Loop::remove_closed() {
  const auto is_closing = [](const auto& entry) { return entry.second.is_closing; };
  for (;;) {
    const auto closed = std::find_if(connections_.begin(), connections_.end(), is_closing);
    if (closed == connections_.end()) return;
    const uint64_t id = closed->first;
    ::close(closed->second.fd);
    connections_.erase(closed);
    can_accept_ = true;
    deliver(table_.disconnect(id));  // may close others
  }
}

void Server::Loop::note_visits() {
  const bool has_clients =
      std::ranges::any_of(connections_, [](const auto& entry) { return entry.second.has_greeted; });
  const std::lock_guard lock(visits_mutex_);
  if (has_clients == has_clients_) return;
  has_clients_ = has_clients;
  had_clients_ = true;
  visits_changed_.notify_all();
}

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options) {
  ZT_TRY(allow_descriptors(options.ranks));
  ZT_TRY_ASSIGN(const int listen_fd, listen_on(options.address));
  const int wake_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) {
    ::close(listen_fd);
    return fail(ErrorCode::Exhausted, fmt::format("cannot make an eventfd: {}", std::strerror(errno)));
  }
  return std::unique_ptr<Server>(new Server(std::make_unique<Loop>(listen_fd, wake_fd, options.token)));
}

Server::Server(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
Server::~Server() = default;
uint16_t Server::port() const { return loop_->port(); }
int64_t Server::generation() const { return loop_->generation(); }
bool Server::wait_until_deserted(clock::Deadline first_by) const {
  return loop_->wait_until_deserted(first_by);
}

}  // namespace zt::rendezvous
