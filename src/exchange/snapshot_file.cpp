// SPDX-License-Identifier: Apache-2.0
#include "exchange/snapshot_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/hash.hpp"
#include "base/process/resources.hpp"

namespace zt::exchange {
namespace {

constexpr uint64_t kMagic = 0x0031'5041'4e53'545aULL;  // "ZTSNAP1" and a zero, little-endian
constexpr size_t kPageBytes = 4096;
constexpr size_t kSlots = 2;
/// So that a few scalars more, one for each clip that is left out, don't cost what the slots hold.
constexpr size_t kSpareBytes = 64 << 10;
constexpr uint64_t kWhole = 1;

struct Header {
  std::atomic<uint64_t> magic;  ///< written last: the rest is right once it is there
  uint64_t slot_bytes;
};

size_t whole_pages(size_t bytes) { return (bytes + kPageBytes - 1) / kPageBytes * kPageBytes; }
size_t file_bytes(size_t slot_bytes) { return kPageBytes + kSlots * slot_bytes; }
Header& header(std::byte* map) { return *reinterpret_cast<Header*>(map); }

uint64_t check_of(std::span<const std::byte> bytes, int64_t step) {
  return hash::xxh64(bytes, static_cast<uint64_t>(step));
}

Error no_memory(size_t bytes, int error) {
  return {ErrorCode::Exhausted,
          fmt::format("cannot get {} bytes of memory for snapshots: {}", bytes, std::strerror(error))};
}

}  // namespace

/// What a slot holds. A process may die between any two stores, so the state is cleared first and set last.
struct alignas(64) SnapshotFile::Record {
  std::atomic<uint64_t> state;
  int64_t step;
  int64_t generation;
  uint64_t bytes;
  uint64_t check;  ///< as Held::check
};

Result<files::Descriptor> SnapshotFile::make() {
  const int made = ::memfd_create("zoetrope-snapshot", MFD_CLOEXEC);
  auto file = files::Descriptor::open(fmt::format("/proc/self/fd/{}", made), O_RDWR);
  const int error = errno;
  if (made >= 0) ::close(made);
  if (!file)
    return fail(ErrorCode::Exhausted, fmt::format("cannot make a memory file: {}", std::strerror(error)));
  return file;
}

Result<SnapshotFile> SnapshotFile::open(int fd) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_nlink != 0)
    return fail(ErrorCode::InvalidArgument, fmt::format("descriptor {} is not a file in memory", fd));
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  SnapshotFile file(fd);
  const auto size = static_cast<size_t>(facts.st_size);
  if (size < kPageBytes) return file;
  ZT_TRY(file.map(size));
  if (header(file.map_).magic.load() != kMagic || file_bytes(header(file.map_).slot_bytes) != size)
    file.unmap();
  return file;
}

SnapshotFile::~SnapshotFile() { unmap(); }

Status SnapshotFile::map(size_t size) {
  // With all its pages: taking the faults one by one would cost as much as the first copy itself.
  void* mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, 0);
  if (mapped == MAP_FAILED) return fail(no_memory(size, errno));
  map_ = static_cast<std::byte*>(mapped);
  size_ = size;
  return {};
}

void SnapshotFile::unmap() {
  if (map_) ::munmap(std::exchange(map_, nullptr), std::exchange(size_, 0));
}

SnapshotFile::Record& SnapshotFile::record(size_t slot) const {
  static_assert(sizeof(Header) <= sizeof(Record) && (kSlots + 1) * sizeof(Record) <= kPageBytes);
  return reinterpret_cast<Record*>(map_)[slot + 1];
}

size_t SnapshotFile::slot_bytes() const { return header(map_).slot_bytes; }

std::span<std::byte> SnapshotFile::room(size_t slot) const {
  return {map_ + kPageBytes + slot * slot_bytes(), slot_bytes()};
}

SnapshotFile::Held SnapshotFile::look_at(size_t slot) const {
  const Record& r = record(slot);
  return {r.step, r.generation, r.check, room(slot).first(std::min<size_t>(r.bytes, slot_bytes()))};
}

bool SnapshotFile::is_whole(size_t slot) const {
  const Record& r = record(slot);
  return r.state.load() == kWhole && r.bytes <= slot_bytes() &&
         r.check == check_of(room(slot).first(r.bytes), r.step);
}

std::vector<SnapshotFile::Held> SnapshotFile::held() const {
  std::vector<Held> found;
  for (size_t slot = 0; map_ && slot < kSlots; ++slot) {
    if (is_whole(slot)) {
      found.push_back(look_at(slot));
    } else {
      record(slot).state.store(0);
    }
  }
  std::ranges::sort(found, {}, &Held::step);
  return found;
}

std::optional<SnapshotFile::Held> SnapshotFile::newest() const {
  std::optional<Held> found;
  for (size_t slot = 0; map_ && slot < kSlots; ++slot)
    if (record(slot).state.load() == kWhole && (!found || record(slot).step > found->step))
      found = look_at(slot);
  return found;
}

Status SnapshotFile::reserve(size_t bytes) {
  if (map_ && slot_bytes() >= bytes) return {};
  const size_t wanted = whole_pages(bytes + kSpareBytes);
  unmap();
  // Before it is asked whether there is room: what it held is part of that.
  if (::ftruncate(fd_, 0) != 0) return fail(no_memory(bytes, errno));
  // Asked first: a memory file has no limit of its own, so the kernel would kill processes to find the pages.
  const size_t total = file_bytes(wanted);
  const resources::Demand demand{"two snapshots of the state", total};
  ZT_TRY(resources::require_memory({&demand, 1}, "set checkpoint.memory_every_steps: 0"));
  if (const int error = ::posix_fallocate(fd_, 0, static_cast<off_t>(total)); error != 0) {
    [[maybe_unused]] const int given_back = ::ftruncate(fd_, 0);
    return fail(no_memory(total, error));
  }
  ZT_TRY(map(total));
  header(map_).slot_bytes = wanted;
  header(map_).magic.store(kMagic);
  return {};
}

std::span<std::byte> SnapshotFile::begin() {
  const auto age = [&](size_t slot) { return record(slot).state.load() == kWhole ? record(slot).step : -1; };
  filling_ = age(0) <= age(1) ? 0 : 1;
  record(filling_).state.store(0);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // before anything that is written into the slot
  return room(filling_);
}

Status SnapshotFile::commit_copy(int64_t step, int64_t generation, size_t bytes, uint64_t check) {
  if (check_of(room(filling_).first(bytes), step) != check)
    return fail(ErrorCode::Corrupt,
                fmt::format("the copy of the snapshot of step {} has other bytes than it", step));
  commit(step, generation, bytes, check);
  return {};
}

void SnapshotFile::commit(int64_t step, int64_t generation, size_t bytes, uint64_t check) {
  Record& r = record(filling_);
  r.step = step;
  r.generation = generation;
  r.bytes = bytes;
  r.check = check;
  r.state.store(kWhole);
}

void SnapshotFile::drop_after(int64_t step) {
  for (size_t slot = 0; map_ && slot < kSlots; ++slot)
    if (record(slot).step > step) record(slot).state.store(0);
}

}  // namespace zt::exchange
