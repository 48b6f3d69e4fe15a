// SPDX-License-Identifier: Apache-2.0
#include "exchange/segment.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/process/resources.hpp"

namespace zt::exchange {
namespace {

/// The segment starts with its nonce, on a page of its own: whoever attaches knows that it is the offered
/// one.
constexpr size_t kHeaderBytes = 4096;

std::byte* map(int fd, size_t bytes) {
  void* mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return mapped == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapped);
}

uint64_t& nonce_of(std::byte* mapped) { return *reinterpret_cast<uint64_t*>(mapped); }

std::string read_link(const char* path) {
  char target[256];
  const ssize_t n = ::readlink(path, target, sizeof target);
  return n > 0 ? std::string(target, static_cast<size_t>(n)) : std::string();
}

}  // namespace

std::string host_identity() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  return fmt::format("{} {} {}", boot, read_link("/proc/self/ns/pid"), ::geteuid());
}

std::string Segment::Offer::text() const { return fmt::format("{} {} {} {}", pid, fd, bytes, nonce); }

std::optional<Segment::Offer> Segment::Offer::parse(std::string_view text) {
  Offer offer;
  int used = 0;
  const std::string copy(text);
  unsigned long long bytes = 0, nonce = 0;
  const int got =
      std::sscanf(copy.c_str(), "%d %d %llu %llu%n", &offer.pid, &offer.fd, &bytes, &nonce, &used);
  if (got != 4 || static_cast<size_t>(used) != copy.size()) return std::nullopt;
  offer.bytes = bytes;
  offer.nonce = nonce;
  return offer;
}

Result<std::shared_ptr<Segment>> Segment::create(size_t bytes) {
  const size_t total = kHeaderBytes + bytes;
  // Asked first: a memory file has no limit of its own, so the kernel would kill processes to find the pages.
  const resources::Demand demand{"shared memory between ranks", total};
  ZT_TRY(resources::require_memory({&demand, 1}, "run fewer ranks on this host"));
  const int fd = ::memfd_create("zoetrope-exchange", MFD_CLOEXEC);
  if (fd < 0)
    return fail(ErrorCode::Exhausted, fmt::format("cannot make a memory file: {}", std::strerror(errno)));
  // Allocated at once: a page that is missing later would be a SIGBUS, not an error.
  const int error = ::posix_fallocate(fd, 0, static_cast<off_t>(total));
  std::byte* const mapped = error == 0 ? map(fd, total) : nullptr;
  if (!mapped) {
    ::close(fd);
    return fail(ErrorCode::Exhausted, fmt::format("cannot get {} bytes of shared memory: {}", total,
                                                  std::strerror(error != 0 ? error : errno)));
  }
  std::shared_ptr<Segment> segment(new Segment(fd, mapped + kHeaderBytes, bytes));
  if (::getrandom(&nonce_of(mapped), sizeof(uint64_t), 0) != sizeof(uint64_t))
    return fail(ErrorCode::Exhausted, "the system gives no random number");
  return segment;
}

Result<std::shared_ptr<Segment>> Segment::attach(const Offer& offer) {
  const std::string path = fmt::format("/proc/{}/fd/{}", offer.pid, offer.fd);
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return fail(ErrorCode::Unavailable,
                fmt::format("cannot open the shared memory {}: {}", path, std::strerror(errno)));
  struct stat facts {};
  const size_t total = kHeaderBytes + offer.bytes;
  const bool has_size =
      ::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) && static_cast<uint64_t>(facts.st_size) == total;
  std::byte* const mapped = has_size ? map(fd, total) : nullptr;
  ::close(fd);
  if (!mapped) return fail(ErrorCode::Unavailable, fmt::format("{} is not the offered shared memory", path));
  std::shared_ptr<Segment> segment(new Segment(-1, mapped + kHeaderBytes, offer.bytes));
  if (nonce_of(mapped) != offer.nonce)
    return fail(ErrorCode::Unavailable, fmt::format("{} is not the offered shared memory", path));
  return segment;
}

Segment::~Segment() {
  close_offer();
  ::munmap(data_ - kHeaderBytes, kHeaderBytes + size_);
}

Segment::Offer Segment::offer() const { return {::getpid(), fd_, size_, nonce_of(data_ - kHeaderBytes)}; }

void Segment::close_offer() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace zt::exchange
