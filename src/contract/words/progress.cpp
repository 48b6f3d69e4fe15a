// SPDX-License-Identifier: Apache-2.0
#include "contract/words/progress.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "base/clock.hpp"
#include "base/files/files.hpp"
#include "base/hash.hpp"

namespace zt::contract {
namespace {

// The page: header words, then two slots that take turns. A slot is complete before `sequence` names it, so a
// writer that dies in between leaves the other one standing; the checksum, seeded with the sequence, tells a
// reader that it was too slow and copied half of two states.
constexpr size_t kPageBytes = 4096;
constexpr size_t kSlotWords = 32;
constexpr uint64_t kMagic = 0x31474F5250545A;  // "ZTPROG1" as little-endian bytes
constexpr uint64_t kVersion = 2;
constexpr uint64_t kOldestVersion = 1;  // its slots have zeros where this one has activities
enum HeaderWord : size_t { kMagicWord, kVersionWord, kSequenceWord, kFirstSlotWord = 8 };
constexpr size_t kChecksumWord = kSlotWords - 1;
constexpr size_t kActionWord = 9, kActivityWord = 17, kUnitWord = 21;
constexpr size_t kTextWords = 8;
constexpr size_t kTextBytes = kTextWords * sizeof(uint64_t) - 1;  // the last byte stays 0
using Slot = std::array<uint64_t, kSlotWords>;
using Page = std::array<uint64_t, kPageBytes / sizeof(uint64_t)>;
static_assert(kFirstSlotWord + 2 * kSlotWords <= std::tuple_size_v<Page>);

// Behind the slots, the samples in hand: pairs of a sample's number + 1 (0 = no sample), and its clip times
// two, + 1 if it is trained on.
constexpr size_t kFirstSampleWord = 128;
static_assert(kFirstSampleWord >= kFirstSlotWord + 2 * kSlotWords);
static_assert(kFirstSampleWord + 2 * SamplesInHand::kMost <= std::tuple_size_v<Page>);

uint64_t checksum(const Slot& slot, uint64_t sequence) {
  return hash::xxh64(std::as_bytes(std::span(slot).first<kChecksumWord>()), sequence);
}

void put_text(Slot& slot, size_t first_word, std::string_view text) {
  std::memcpy(&slot[first_word], text.data(), std::min(text.size(), kTextBytes));
}

std::string text_at(const Slot& slot, size_t first_word) {
  std::array<char, kTextBytes + 1> text{};
  std::memcpy(text.data(), &slot[first_word], kTextBytes);
  return text.data();
}

Slot encode(const Progress& p, double now_s, uint64_t sequence) {
  Slot slot{};
  slot[0] = std::bit_cast<uint64_t>(p.generation);
  slot[1] = std::bit_cast<uint64_t>(p.pid);
  slot[2] = static_cast<uint64_t>(p.phase);
  slot[3] = std::bit_cast<uint64_t>(p.step);
  slot[4] = std::bit_cast<uint64_t>(p.total_steps);
  slot[5] = std::bit_cast<uint64_t>(p.loss);
  slot[6] = std::bit_cast<uint64_t>(p.samples_per_s);
  slot[7] = std::bit_cast<uint64_t>(p.eta_s);
  slot[8] = std::bit_cast<uint64_t>(now_s);
  put_text(slot, kActionWord, p.action);
  slot[kActivityWord] = static_cast<uint64_t>(p.activity);
  slot[kActivityWord + 1] = p.exchange;
  slot[kActivityWord + 2] = std::bit_cast<uint64_t>(p.limit_s);
  slot[kActivityWord + 3] = std::bit_cast<uint64_t>(p.stop_limit_s);
  put_text(slot, kUnitWord, p.unit);
  slot[kChecksumWord] = checksum(slot, sequence);
  return slot;
}

std::optional<Progress> decode(const Slot& slot, uint64_t sequence) {
  if (slot[kChecksumWord] != checksum(slot, sequence)) return std::nullopt;
  Progress p;
  p.generation = std::bit_cast<int64_t>(slot[0]);
  p.pid = std::bit_cast<int64_t>(slot[1]);
  if (slot[2] > static_cast<uint64_t>(Phase::Finished) ||
      slot[kActivityWord] > static_cast<uint64_t>(Activity::Optimizer))
    return std::nullopt;
  p.phase = static_cast<Phase>(slot[2]);
  p.step = std::bit_cast<int64_t>(slot[3]);
  p.total_steps = std::bit_cast<int64_t>(slot[4]);
  p.loss = std::bit_cast<double>(slot[5]);
  p.samples_per_s = std::bit_cast<double>(slot[6]);
  p.eta_s = std::bit_cast<double>(slot[7]);
  p.heartbeat_s = std::bit_cast<double>(slot[8]);
  p.action = text_at(slot, kActionWord);
  p.activity = static_cast<Activity>(slot[kActivityWord]);
  p.exchange = slot[kActivityWord + 1];
  p.limit_s = std::bit_cast<double>(slot[kActivityWord + 2]);
  p.stop_limit_s = std::bit_cast<double>(slot[kActivityWord + 3]);
  p.unit = text_at(slot, kUnitWord);
  return p;
}

std::optional<Progress> decode_page(const Page& page) {
  if (page[kMagicWord] != kMagic || page[kVersionWord] < kOldestVersion || page[kVersionWord] > kVersion ||
      page[kSequenceWord] == 0)
    return std::nullopt;
  const uint64_t sequence = page[kSequenceWord];
  Slot slot;
  std::copy_n(page.begin() + static_cast<std::ptrdiff_t>(kFirstSlotWord + (sequence & 1) * kSlotWords),
              kSlotWords, slot.begin());
  return decode(slot, sequence);
}

std::atomic_ref<uint64_t> word(void* page, size_t index) {
  return std::atomic_ref<uint64_t>(static_cast<uint64_t*>(page)[index]);
}

/// Shared, and begun anew if it is none of this version.
Result<void*> map_page(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return fail(files::errno_error("open", path, errno));
  struct stat st {};
  int error = ::fstat(fd, &st) != 0 ? errno : 0;
  if (error == 0 && st.st_size != kPageBytes && ::ftruncate(fd, kPageBytes) != 0) error = errno;
  void* page =
      error == 0 ? ::mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
  if (error == 0 && page == MAP_FAILED) error = errno;
  ::close(fd);
  if (error != 0) return fail(files::errno_error("map", path, error));
  if (word(page, kMagicWord) != kMagic || word(page, kVersionWord) != kVersion) {
    word(page, kSequenceWord).store(0, std::memory_order_relaxed);
    word(page, kVersionWord).store(kVersion, std::memory_order_relaxed);
    word(page, kMagicWord).store(kMagic, std::memory_order_release);
  }
  return page;
}

/// One copy of the page. False if there is none.
bool read_page(int fd, Page& page) {
  return ::pread(fd, page.data(), kPageBytes, 0) == static_cast<ssize_t>(kPageBytes);
}

}  // namespace

std::string_view name(Phase phase) {
  constexpr std::array<std::string_view, 9> kNames = {"starting",   "loading",    "caching",
                                                      "training",   "validating", "saving",
                                                      "generating", "evaluating", "finished"};
  return kNames[static_cast<size_t>(phase)];
}

std::string_view name(Activity activity) {
  constexpr std::array<std::string_view, 6> kNames = {"",         "waiting for data", "forward",
                                                      "backward", "exchange",         "optimizer"};
  return kNames[static_cast<size_t>(activity)];
}

std::string doing(const Progress& progress) {
  const bool is_phase = progress.activity == Activity::None;
  std::string text(is_phase ? name(progress.phase) : name(progress.activity));
  const std::string& detail = is_phase ? progress.action : progress.unit;
  return detail.empty() ? text : text + " " + detail;
}

Result<ProgressWriter> ProgressWriter::open(const std::filesystem::path& path) {
  ZT_TRY_ASSIGN(void* page, map_page(path));
  return ProgressWriter(page, word(page, kSequenceWord).load());
}

ProgressWriter::ProgressWriter(ProgressWriter&& other) noexcept
    : page_(std::exchange(other.page_, nullptr)), sequence_(other.sequence_) {}

ProgressWriter::~ProgressWriter() {
  if (page_) ::munmap(page_, kPageBytes);
}

void ProgressWriter::publish(const Progress& progress) {
  ++sequence_;
  const Slot slot = encode(progress, clock::unix_now_s(), sequence_);
  const size_t first = kFirstSlotWord + (sequence_ & 1) * kSlotWords;
  for (size_t i = 0; i < kSlotWords; ++i) word(page_, first + i).store(slot[i], std::memory_order_relaxed);
  word(page_, kSequenceWord).store(sequence_, std::memory_order_release);
}

std::optional<Progress> read_progress(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  std::optional<Progress> progress;
  constexpr int kTries = 8;  // only a writer that publishes twice within one copy makes a try fail
  for (int i = 0; i < kTries && !progress; ++i) {
    Page page{};
    if (!read_page(fd, page)) break;
    progress = decode_page(page);
  }
  ::close(fd);
  return progress;
}

Result<std::unique_ptr<SamplesInHand>> SamplesInHand::open(const std::filesystem::path& path) {
  ZT_TRY_ASSIGN(void* page, map_page(path));
  for (size_t place = 0; place < kMost; ++place)
    word(page, kFirstSampleWord + 2 * place).store(0, std::memory_order_relaxed);
  return std::unique_ptr<SamplesInHand>(new SamplesInHand(page));
}

SamplesInHand::~SamplesInHand() { ::munmap(page_, kPageBytes); }

void SamplesInHand::take(SampleInHand sample) {
  const std::lock_guard lock(mutex_);
  const auto free = std::ranges::find_if(places_, [](const auto& place) { return !place.has_value(); });
  if (free == places_.end()) return;
  *free = sample;
  const size_t first = kFirstSampleWord + 2 * static_cast<size_t>(free - places_.begin());
  const uint64_t clip = std::bit_cast<uint64_t>(sample.clip) << 1 | uint64_t{sample.is_in_step};
  word(page_, first + 1).store(clip, std::memory_order_relaxed);
  word(page_, first).store(sample.number + 1, std::memory_order_release);
}

void SamplesInHand::put_back(SampleInHand sample) {
  const std::lock_guard lock(mutex_);
  const auto place = std::ranges::find(places_, std::optional(sample));
  if (place == places_.end()) return;
  place->reset();
  const size_t first = kFirstSampleWord + 2 * static_cast<size_t>(place - places_.begin());
  word(page_, first).store(0, std::memory_order_release);
}

std::set<SampleInHand> read_samples_in_hand(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return {};
  Page page{};
  const bool is_read = read_page(fd, page);
  ::close(fd);
  std::set<SampleInHand> samples;
  if (!is_read || page[kMagicWord] != kMagic || page[kVersionWord] != kVersion) return samples;
  for (size_t place = 0; place < SamplesInHand::kMost; ++place) {
    const size_t first = kFirstSampleWord + 2 * place;
    if (page[first] == 0) continue;
    const uint64_t clip = page[first + 1];
    samples.insert({page[first] - 1, std::bit_cast<int64_t>(clip) >> 1, (clip & 1) != 0});
  }
  return samples;
}

}  // namespace zt::contract
