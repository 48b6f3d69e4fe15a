// SPDX-License-Identifier: Apache-2.0
// See addresses.hpp.
#include "rendezvous/addresses.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace zt::rendezvous {
namespace {

constexpr const char* kLoopback = "127.0.0.1";
constexpr const char* kAnyPort = "9";  // of a datagram socket that sends nothing

using AddressList = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

/// Of IPv4 and IPv6 addresses; "" for others.
std::string numeric(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = nullptr;
  if (address->sa_family == AF_INET) bytes = &reinterpret_cast<const sockaddr_in*>(address)->sin_addr;
  if (address->sa_family == AF_INET6) bytes = &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  if (bytes) ::inet_ntop(address->sa_family, bytes, text.data(), text.size());
  return text.data();
}

/// Whether another host may reach this one by it. A link-local IPv6 address means nothing without its
/// interface.
bool is_of_use_elsewhere(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    const uint32_t host_order = ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr);
    return host_order >> 24 != 127;
  }
  if (address->sa_family != AF_INET6) return false;
  const in6_addr& six = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  return !IN6_IS_ADDR_LOOPBACK(&six) && !IN6_IS_ADDR_LINKLOCAL(&six);
}

void add(std::vector<std::string>& to, const sockaddr* address) {
  if (!address || !is_of_use_elsewhere(address)) return;
  const std::string text = numeric(address);
  if (std::find(to.begin(), to.end(), text) == to.end()) to.push_back(text);
}

/// Null if there are none; `status` says why.
AddressList resolve(const std::string& host, int& status) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  status = ::getaddrinfo(host.c_str(), kAnyPort, &hints, &found);
  return {status == 0 ? found : nullptr, ::freeaddrinfo};
}

void add_interfaces(std::vector<std::string>& to) {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(all, ::freeifaddrs);
  for (const int family : {AF_INET, AF_INET6}) {
    for (const ifaddrs* one = all; one; one = one->ifa_next)
      if (one->ifa_addr && one->ifa_addr->sa_family == family && (one->ifa_flags & IFF_UP) != 0)
        add(to, one->ifa_addr);
  }
}

}  // namespace

std::vector<std::string> addresses_of_this_host(const std::string& known_as) {
  std::vector<std::string> addresses;
  if (!known_as.empty()) {
    int ignored = 0;
    const AddressList list = resolve(known_as, ignored);
    for (const addrinfo* one = list.get(); one; one = one->ai_next) add(addresses, one->ai_addr);
  }
  add_interfaces(addresses);
  if (addresses.empty()) addresses.emplace_back(kLoopback);
  return addresses;
}

Result<std::string> address_towards(const std::string& host) {
  int status = 0;
  const AddressList list = resolve(host, status);
  if (status != 0)
    return fail(ErrorCode::Unavailable,
                fmt::format("cannot find the host '{}': {}", host, ::gai_strerror(status)));
  int error = 0;
  for (const addrinfo* one = list.get(); one; one = one->ai_next) {
    const int fd = ::socket(one->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    // Connecting a datagram socket sends nothing: the kernel looks up the route.
    const bool has_route = fd >= 0 && ::connect(fd, one->ai_addr, one->ai_addrlen) == 0 &&
                           ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &size) == 0;
    error = errno;
    if (fd >= 0) ::close(fd);
    if (has_route) return numeric(reinterpret_cast<const sockaddr*>(&own));
  }
  return fail(ErrorCode::Unavailable,
              fmt::format("no route leads to the host '{}': {}", host, std::strerror(error)));
}

}  // namespace zt::rendezvous
