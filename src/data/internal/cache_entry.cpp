// SPDX-License-Identifier: Apache-2.0
#include "data/internal/cache_entry.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

#include "base/files/files.hpp"
#include "base/hash.hpp"

namespace zt::data::internal {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "the header is little-endian");
struct Header {
  std::array<char, 8> magic;
  uint64_t payload_bytes;
  /// XXH3-128 of key and payload, hexadecimal: an entry under a wrong name is damaged too.
  std::array<char, 32> digest;
};
static_assert(sizeof(Header) == kEntryHeaderBytes);
constexpr std::array<char, 8> kMagic = {'Z', 'T', 'C', 'A', 'C', 'H', 'E', '1'};

Header make_header(const std::string& key, std::span<const std::byte> payload) {
  hash::Xxh128 digest;
  digest.update(key);
  digest.update(payload);
  Header header{kMagic, payload.size(), {}};
  digest.hex().copy(header.digest.data(), header.digest.size());
  return header;
}

bool is_same(const Header& a, const Header& b) { return std::memcmp(&a, &b, sizeof(Header)) == 0; }

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

// Fills `bytes` or returns false (an error, or the file ends).
bool read_all(int fd, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::read(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

Status write_entry(const fs::path& path, const fs::path& temp_folder, const std::string& key,
                   std::span<const std::byte> payload) {
  const Header header = make_header(key, payload);
  ZT_TRY_ASSIGN(const files::Temporary file, files::Temporary::file(temp_folder / path.filename()));
  // No fsync: an entry that a power cut tears fails its checksum and is computed again.
  const bool is_written = write_all(file.descriptor(), std::as_bytes(std::span(&header, 1))) &&
                          write_all(file.descriptor(), payload) &&
                          ::rename(file.path().c_str(), path.c_str()) == 0;
  if (!is_written) return fail(files::errno_error("write", path, errno));
  return {};
}

ReadEntry read_entry(const fs::path& path, const std::string& key) {
  const auto file = files::Descriptor::open(path, O_RDONLY | O_NONBLOCK);  // a pipe would wait for its writer
  if (!file) return {};
  struct stat facts {};
  Header found{};
  if (::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode) ||
      !read_all(file.get(), std::as_writable_bytes(std::span(&found, 1))))
    return {EntryState::Damaged, {}};
  // Memory is taken only for what the file really holds.
  if (found.magic != kMagic || found.payload_bytes != static_cast<uint64_t>(facts.st_size) - sizeof(Header))
    return {EntryState::Damaged, {}};
  ReadEntry entry{EntryState::Good, std::vector<std::byte>(found.payload_bytes)};
  if (!read_all(file.get(), entry.payload) || !is_same(found, make_header(key, entry.payload)))
    return {EntryState::Damaged, {}};
  ::futimens(file.get(), nullptr);  // a failure only makes the entry look older
  return entry;
}

}  // namespace zt::data::internal
