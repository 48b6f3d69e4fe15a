// SPDX-License-Identifier: Apache-2.0
// Connections of a test to a store in its own process, and their end.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.hpp"
#include "rendezvous/client.hpp"
#include "rendezvous/server.hpp"

namespace zt::test {

inline std::unique_ptr<rendezvous::Client> connect(const rendezvous::Server& store, std::string member = "",
                                                   int64_t generation = 1) {
  rendezvous::ClientOptions options;
  options.host = "127.0.0.1";
  options.port = store.port();
  options.generation = generation;
  options.member = std::move(member);
  return rendezvous::Client::connect(options, clock::in(std::chrono::seconds(20))).value();
}

/// Ends every connection of this process to the store, as a network can.
inline void cut_connections(uint16_t port) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 && ntohs(peer.sin_port) == port)
      ::shutdown(fd, SHUT_RDWR);
  }
}

}  // namespace zt::test
