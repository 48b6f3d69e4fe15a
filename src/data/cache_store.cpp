// SPDX-License-Identifier: Apache-2.0
#include "data/cache_store.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <mutex>
#include <span>
#include <system_error>
#include <utility>

#include "base/files/files.hpp"
#include "base/hash.hpp"
#include "base/text/text.hpp"
#include "data/internal/cache_entry.hpp"

namespace zt::data {
namespace {

namespace fs = std::filesystem;
using internal::EntryState;

constexpr std::string_view kFormatLine = "zoetrope-cache 1\n";
constexpr size_t kKeyDigits = 32;
constexpr size_t kFolderDigits = 2;  ///< entries lie in 256 folders by the key's first digits
/// Evicting goes down to this share of the limit, so that it is rare.
constexpr double kLowWater = 0.9;
/// The folder is counted again after this share of the limit was written: what other processes wrote is
/// unknown before.
constexpr uint64_t kRecountShare = 16;

bool is_key(std::string_view key) {
  return key.size() == kKeyDigits && key.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

struct Entry {
  fs::path path;
  uint64_t bytes = 0;
  timespec used{};
};

bool is_older(const Entry& a, const Entry& b) {
  return std::pair(a.used.tv_sec, a.used.tv_nsec) < std::pair(b.used.tv_sec, b.used.tv_nsec);
}

// Space on disk of a file, by blocks of 4 KiB.
uint64_t disk_bytes(uint64_t file_bytes) {
  constexpr uint64_t kBlockBytes = 4096;
  return (file_bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

// Every entry of the store. What vanishes meanwhile, or can't be read, is left out.
std::vector<Entry> list_entries(const fs::path& folder) {
  std::vector<Entry> entries;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    struct stat facts {};
    if (!is_key(it->path().filename().string()) || ::stat(it->path().c_str(), &facts) != 0) continue;
    entries.push_back({it->path(), disk_bytes(static_cast<uint64_t>(facts.st_size)), facts.st_mtim});
  }
  return entries;
}

uint64_t total_bytes(const std::vector<Entry>& entries) {
  uint64_t sum = 0;
  for (const Entry& entry : entries) sum += entry.bytes;
  return sum;
}

// Checks the folder's format, or writes it into a new folder.
Status check_format(const fs::path& folder) {
  const fs::path path = folder / "format";
  const auto text = files::read_regular(path, 1024);
  if (text && *text == kFormatLine) return {};
  if (text)
    return fail(ErrorCode::Unsupported,
                fmt::format("{} holds {}, not a cache of this version: name another folder or remove it",
                            folder.string(), text::quoted(*text)));
  if (text.error().code != ErrorCode::NotFound) return fail(text.error());
  return files::write_atomic(path, kFormatLine);
}

}  // namespace

CacheKey& CacheKey::add(std::string_view name, std::string_view value) {
  fields_ += fmt::format("{}:{}s{}:{}", name.size(), name, value.size(), value);
  return *this;
}

CacheKey& CacheKey::add(std::string_view name, int64_t value) {
  fields_ += fmt::format("{}:{}i{};", name.size(), name, value);
  return *this;
}

CacheKey& CacheKey::add(std::string_view name, double value) {
  fields_ += fmt::format("{}:{}d{};", name.size(), name, std::bit_cast<uint64_t>(value));
  return *this;
}

std::string CacheKey::hex() const { return hash::xxh128_hex(std::as_bytes(std::span(fields_))); }

struct CacheStore::State {
  explicit State(CacheOptions wanted) : options(std::move(wanted)), temp_folder(options.folder / "tmp") {}

  fs::path path_of(const std::string& key) const {
    return options.folder / key.substr(0, kFolderDigits) / key;
  }
  void note_written(uint64_t payload_bytes);
  void recount_and_evict();

  const CacheOptions options;
  const fs::path temp_folder;
  std::atomic<uint64_t> hits = 0, misses = 0, puts = 0, failed_puts = 0, corrupt = 0, evicted = 0;
  std::atomic<uint64_t> bytes = 0;  ///< at the last count, and what was put since
  std::atomic<uint64_t> written_since_count = 0;
  std::mutex counting;
  std::mutex failing;
  std::optional<Error> first_failure;
};

void CacheStore::State::note_written(uint64_t payload_bytes) {
  const uint64_t added = disk_bytes_of(payload_bytes);
  const uint64_t known = bytes += added, written = written_since_count += added;
  const uint64_t limit = options.max_bytes;
  if (limit == 0 || (known <= limit && written <= limit / kRecountShare)) return;
  const std::unique_lock lock(counting, std::try_to_lock);
  if (lock) recount_and_evict();
}

void CacheStore::State::recount_and_evict() {
  std::vector<Entry> entries = list_entries(options.folder);
  uint64_t total = total_bytes(entries);
  written_since_count = 0;
  // One process evicts at a time: two with the same list would remove twice as much as needed.
  const bool is_over = options.max_bytes > 0 && total > options.max_bytes;
  if (const auto lock = files::Lock::acquire(options.folder / "evict.lock"); lock && is_over) {
    std::sort(entries.begin(), entries.end(), is_older);
    const auto target = static_cast<uint64_t>(kLowWater * static_cast<double>(options.max_bytes));
    for (size_t i = 0; i < entries.size() && total > target; ++i) {
      if (::unlink(entries[i].path.c_str()) == 0) ++evicted;
      total -= entries[i].bytes;
    }
  }
  bytes = total;
}

Result<std::unique_ptr<CacheStore>> CacheStore::open(CacheOptions options) {
  auto state = std::make_unique<State>(std::move(options));
  ZT_TRY(files::make_folders(state->temp_folder));
  ZT_TRY(check_format(state->options.folder));
  files::remove_leftovers(state->temp_folder);
  state->recount_and_evict();
  return std::unique_ptr<CacheStore>(new CacheStore(std::move(state)));
}

CacheStore::CacheStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
CacheStore::~CacheStore() = default;

std::optional<std::vector<std::byte>> CacheStore::get(const std::string& key) {
  State& s = *state_;
  const fs::path path = s.path_of(key);
  internal::ReadEntry entry = is_key(key) ? internal::read_entry(path, key) : internal::ReadEntry{};
  if (entry.state == EntryState::Good) {
    ++s.hits;
    return std::move(entry.payload);
  }
  ++s.misses;
  if (entry.state == EntryState::Damaged) {
    ++s.corrupt;
    ::unlink(path.c_str());
  }
  return std::nullopt;
}

bool CacheStore::contains(const std::string& key) const {
  return is_key(key) && ::access(state_->path_of(key).c_str(), F_OK) == 0;
}

Status CacheStore::put(const std::string& key, std::span<const std::byte> bytes) {
  State& s = *state_;
  if (!is_key(key)) return fail(ErrorCode::InvalidArgument, "not a cache key: " + text::quoted(key));
  if (contains(key)) return {};
  const fs::path path = s.path_of(key);
  Status written = files::make_folders(path.parent_path());
  if (written) written = internal::write_entry(path, s.temp_folder, key, bytes);
  ++(written ? s.puts : s.failed_puts);
  if (!written) {
    const std::lock_guard lock(s.failing);
    if (!s.first_failure) s.first_failure = written.error();
    return written;
  }
  s.note_written(bytes.size());
  return {};
}

uint64_t CacheStore::disk_bytes_of(uint64_t payload_bytes) {
  return disk_bytes(internal::kEntryHeaderBytes + payload_bytes);
}

std::optional<Error> CacheStore::first_failure() const {
  const std::lock_guard lock(state_->failing);
  return state_->first_failure;
}

CacheStats CacheStore::stats() const {
  const State& s = *state_;
  return {s.hits, s.misses, s.puts, s.failed_puts, s.corrupt, s.evicted, s.bytes};
}

}  // namespace zt::data
