// SPDX-License-Identifier: Apache-2.0
#include "rendezvous/client.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace zt::rendezvous {
namespace {

using std::chrono::milliseconds;

std::string place(const ClientOptions& options) { return fmt::format("{}:{}", options.host, options.port); }

/// False at the deadline.
bool wait_for(int fd, short events, clock::Deadline deadline) {
  constexpr milliseconds kLongestPoll(60'000);
  pollfd polled{fd, events, 0};
  for (;;) {
    const milliseconds rest = clock::left(deadline);
    if (::poll(&polled, 1, static_cast<int>(std::min(rest, kLongestPoll).count())) > 0) return true;
    if (rest == milliseconds(0)) return false;
  }
}

/// A connected socket, or -1 with errno.
int connect_to(const addrinfo& target, clock::Deadline deadline) {
  const int fd = ::socket(target.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int error = 0;
  if (::connect(fd, target.ai_addr, target.ai_addrlen) != 0) {
    socklen_t size = sizeof error;
    error = errno;
    if (error == EINPROGRESS && !wait_for(fd, POLLOUT, deadline))
      error = ETIMEDOUT;
    else if (error == EINPROGRESS)
      ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error == 0) return fd;
  ::close(fd);
  errno = error;
  return -1;
}

/// Tries every address of the host again and again until the deadline.
Result<int> connect_until(const ClientOptions& options, clock::Deadline deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int status =
      ::getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(), &hints, &found);
  if (status != 0)
    return fail(ErrorCode::Unavailable, fmt::format("cannot find the rendezvous host '{}': {}", options.host,
                                                    ::gai_strerror(status)));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  milliseconds pause(5);
  for (;;) {
    for (const addrinfo* target = found; target; target = target->ai_next) {
      const int fd = connect_to(*target, deadline);
      if (fd >= 0) return fd;
    }
    if (clock::left(deadline) == milliseconds(0)) {
      return fail(ErrorCode::Unavailable, fmt::format("the rendezvous at {} can't be reached: {}",
                                                      place(options), std::strerror(errno)));
    }
    ::poll(nullptr, 0, static_cast<int>(std::min(pause, clock::left(deadline)).count()));
    pause = std::min(pause * 2, milliseconds(200));
  }
}

/// `ask`: getsockname() or getpeername(). Empty if it can't be said.
std::string address_of(int fd, int (*ask)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (ask(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* address = storage.ss_family == AF_INET6
                            ? static_cast<const void*>(&reinterpret_cast<sockaddr_in6*>(&storage)->sin6_addr)
                            : &reinterpret_cast<sockaddr_in*>(&storage)->sin_addr;
  ::inet_ntop(storage.ss_family, address, text.data(), text.size());
  return text.data();
}

Frame request(RequestKind kind, std::vector<std::string> strings, int64_t number = 0) {
  return {static_cast<uint8_t>(kind), number, std::move(strings)};
}

}  // namespace

Result<std::unique_ptr<Client>> Client::connect(const ClientOptions& options, clock::Deadline deadline) {
  ZT_TRY_ASSIGN(const int fd, connect_until(options, deadline));
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  std::unique_ptr<Client> client(new Client(options, fd));
  ZT_TRY(client->call(request(RequestKind::Hello, {std::string(kProtocol), options.token, options.member},
                              options.generation),
                      std::min(deadline, clock::in(options.answer_within))));
  return client;
}

Client::Client(ClientOptions options, int fd)
    : options_(std::move(options)),
      local_address_(address_of(fd, ::getsockname)),
      server_address_(address_of(fd, ::getpeername)),
      fd_(fd) {}

Client::~Client() {
  // The server reads it before it sees the connection end, so there is no answer to wait for.
  const std::string goodbye = encode(request(RequestKind::Goodbye, {}));
  if (!is_broken_ && !is_aborted_) [[maybe_unused]]
    const ssize_t n = ::send(fd_, goodbye.data(), goodbye.size(), MSG_NOSIGNAL);
  ::close(fd_);
}

Result<std::unique_ptr<Client>> Client::another(clock::Deadline deadline) const {
  ClientOptions options = options_;
  options.member.clear();
  // No name server is asked again. A link-local address says nothing without its interface.
  if (!server_address_.empty() && !server_address_.starts_with("fe80:")) options.host = server_address_;
  return connect(options, deadline);
}

void Client::abort() {
  is_aborted_ = true;
  ::shutdown(fd_, SHUT_RDWR);
}

bool Client::is_lost() const {
  char next = 0;
  const ssize_t n = ::recv(fd_, &next, 1, MSG_PEEK | MSG_DONTWAIT);
  return is_broken_ || n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

Result<Frame> Client::lost(std::string_view what) {
  is_broken_ = true;
  if (is_aborted_)
    return fail(ErrorCode::Cancelled,
                fmt::format("the connection to the rendezvous at {} was given up", place(options_)));
  return fail(ErrorCode::Unavailable,
              fmt::format("the rendezvous at {} {}: is the launcher alive?", place(options_), what));
}

Result<Frame> Client::read_frame(clock::Deadline answer_by) {
  std::string bytes;
  size_t wanted = kLengthBytes;
  while (bytes.size() < wanted) {
    if (!wait_for(fd_, POLLIN, answer_by)) return lost("does not answer");
    const size_t before = bytes.size();
    bytes.resize(wanted);
    const ssize_t n = ::read(fd_, bytes.data() + before, wanted - before);
    bytes.resize(before + static_cast<size_t>(std::max<ssize_t>(n, 0)));
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return lost("is gone");
    if (before < kLengthBytes && bytes.size() == kLengthBytes) wanted += payload_bytes(bytes);
    if (wanted > kLengthBytes + kMaxPayloadBytes) return lost("sends what is not its protocol");
  }
  const std::optional<Frame> frame = decode(std::string_view(bytes).substr(kLengthBytes));
  return frame ? Result<Frame>(*frame) : lost("sends what is not its protocol");
}

Result<Frame> Client::call(const Frame& frame, clock::Deadline answer_by) {
  const std::lock_guard lock(mutex_);
  if (is_broken_ || is_aborted_) return lost("is gone");
  const std::string bytes = encode(frame);
  if (bytes.size() > kLengthBytes + kMaxPayloadBytes || frame.strings.size() > kMaxStrings)
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("a request to the rendezvous holds at most {} bytes and {} strings, not {} and {}",
                    kMaxPayloadBytes, kMaxStrings, bytes.size(), frame.strings.size()));
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n >= 0) {
      sent += static_cast<size_t>(n);
    } else if (errno != EAGAIN && errno != EINTR) {
      return lost("is gone");
    } else if (!wait_for(fd_, POLLOUT, answer_by)) {
      return lost("does not answer");
    }
  }
  ZT_TRY_ASSIGN(Frame reply, read_frame(answer_by));
  switch (static_cast<ReplyKind>(reply.kind)) {
    case ReplyKind::Done:
      return reply;
    case ReplyKind::TimedOut:
      return fail(ErrorCode::Timeout,
                  fmt::format("nobody has set {} in the rendezvous", fmt::join(reply.strings, ", ")));
    case ReplyKind::Superseded:
      is_broken_ = true;
      return fail(ErrorCode::Superseded,
                  fmt::format("attempt {} of the run is over: attempt {} has taken its place",
                              options_.generation, reply.number));
    case ReplyKind::Refused:
      is_broken_ = true;
      return fail(
          ErrorCode::Permission,
          fmt::format("the rendezvous at {} refuses this process: it serves another run", place(options_)));
    case ReplyKind::Full:
      return fail(ErrorCode::Exhausted, "the rendezvous holds as much as it may");
    case ReplyKind::Invalid:
      return fail(ErrorCode::InvalidArgument,
                  fmt::format("the rendezvous can't do this: {}", fmt::join(reply.strings, ", ")));
  }
  return lost("sends what is not its protocol");
}

Status Client::set(std::string_view key, std::string_view value) {
  ZT_TRY(call(request(RequestKind::Set, {std::string(key), std::string(value)}),
              clock::in(options_.answer_within)));
  return {};
}

Result<std::vector<std::string>> Client::get(const std::vector<std::string>& keys, clock::Deadline deadline) {
  const milliseconds wait = clock::left(deadline);
  ZT_TRY_ASSIGN(Frame reply,
                call(request(RequestKind::Get, keys, wait.count()), deadline + options_.answer_within));
  if (reply.strings.size() != keys.size()) return fail(lost("sends what is not its protocol").error());
  return std::move(reply.strings);
}

Result<std::string> Client::get(std::string_view key, clock::Deadline deadline) {
  ZT_TRY_ASSIGN(auto values, get(std::vector<std::string>{std::string(key)}, deadline));
  return std::move(values.front());
}

Result<int64_t> Client::add(std::string_view key, int64_t delta) {
  ZT_TRY_ASSIGN(const Frame reply, call(request(RequestKind::Add, {std::string(key)}, delta),
                                        clock::in(options_.answer_within)));
  return reply.number;
}

Result<std::string> Client::compare_and_set(std::string_view key, std::string_view expected,
                                            std::string_view desired) {
  ZT_TRY_ASSIGN(Frame reply, call(request(RequestKind::CompareAndSet,
                                          {std::string(key), std::string(expected), std::string(desired)}),
                                  clock::in(options_.answer_within)));
  if (reply.strings.size() != 1) return fail(lost("sends what is not its protocol").error());
  return std::move(reply.strings.front());
}

Result<bool> Client::erase(std::string_view key) {
  ZT_TRY_ASSIGN(const Frame reply,
                call(request(RequestKind::Erase, {std::string(key)}), clock::in(options_.answer_within)));
  return reply.number != 0;
}

}  // namespace zt::rendezvous
