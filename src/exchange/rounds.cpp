// SPDX-License-Identifier: Apache-2.0
#include "exchange/rounds.hpp"

#include <fmt/format.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>

#include "base/process/resources.hpp"

namespace zt::exchange {
namespace {

using std::chrono::milliseconds;

/// Bounds how late the death of a peer and an abort are noticed.
constexpr milliseconds kSlice(20);
/// Some microseconds: a peer that is a moment late is not worth a trip to the kernel.
constexpr int kSpins = 400;
/// With fewer processors than members spinning takes the peer's processor away; giving it up helps.
constexpr int kYields = 2;

void pause_processor() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Not FUTEX_PRIVATE: the sleepers are in other processes.
void futex_wait(const std::atomic<uint32_t>& word, uint32_t seen, milliseconds longest) {
  const timespec timeout{longest.count() / 1000, (longest.count() % 1000) * 1'000'000};
  ::syscall(SYS_futex, &word, FUTEX_WAIT, seen, &timeout, nullptr, 0);
}
void futex_wake_all(const std::atomic<uint32_t>& word) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

/// Rounds are counted in 64 bits here and in the lowest 32 there; they are never 2^31 apart.
bool is_past(uint32_t word, uint64_t round) {
  return static_cast<int32_t>(word - static_cast<uint32_t>(round)) > 0;
}

}  // namespace

size_t Layout::segment_bytes() const {
  constexpr size_t kControlBytes = 64;
  return members * (kControlBytes + slots * slot_bytes);
}

Rounds::Rounds(std::shared_ptr<Segment> segment, const Layout& layout, size_t me)
    : segment_(std::move(segment)),
      layout_(layout),
      me_(me),
      spins_(layout.members <= static_cast<size_t>(resources::cores()) ? kSpins : 0),
      pidfds_(layout.members, -1) {
  static_assert(sizeof(Control) == 64);
  control(me_).pid.store(::getpid());
}

Rounds::~Rounds() {
  abort();
  for (const int fd : pidfds_)
    if (fd >= 0) ::close(fd);
}

Status Rounds::watch_peers() {
  for (size_t member = 0; member < layout_.members; ++member) {
    const pid_t pid = control(member).pid.load();
    if (pid == ::getpid()) continue;
    pidfds_[member] = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (pidfds_[member] < 0 && errno != ESRCH)
      return fail(ErrorCode::Exhausted,
                  fmt::format("cannot watch process {}: {}", pid, std::strerror(errno)));
    if (pidfds_[member] < 0) control(member).has_left.store(1);  // it ended before it could be watched
  }
  return {};
}

Rounds::Control& Rounds::control(size_t member) const {
  return reinterpret_cast<Control*>(segment_->data())[member];
}

std::byte* Rounds::slot(size_t member, uint64_t round) const {
  const size_t index = member * layout_.slots + round % layout_.slots;
  return segment_->data() + layout_.members * sizeof(Control) + index * layout_.slot_bytes;
}

// Sequentially consistent with sleep_on(): either the sleeper sees the new value, or it is seen sleeping.
void Rounds::advance(Word& word, uint64_t value) {
  word.store(static_cast<uint32_t>(value));
  if (control(me_).sleepers.load() > 0) futex_wake_all(word);
}

void Rounds::publish() { advance(control(me_).published, ++published_); }
void Rounds::finish() { advance(control(me_).finished, ++finished_); }

std::optional<size_t> Rounds::unpublished() const {
  for (size_t member = 0; member < layout_.members; ++member)
    if (member != me_ && !is_past(control(member).published.load(std::memory_order_acquire), finished_))
      return member;
  return std::nullopt;
}

std::optional<size_t> Rounds::unfinished() const {
  if (published_ < layout_.slots) return std::nullopt;
  const uint64_t before = published_ - layout_.slots;  // the round whose slot is to be filled again
  for (size_t member = 0; member < layout_.members; ++member)
    if (member != me_ && !is_past(control(member).finished.load(std::memory_order_acquire), before))
      return member;
  return std::nullopt;
}

bool Rounds::can_read() const { return !unpublished(); }
bool Rounds::can_publish() const { return !unfinished(); }
WaitResult Rounds::wait_to_read(clock::Deadline deadline) { return wait(true, deadline); }
WaitResult Rounds::wait_to_publish(clock::Deadline deadline) { return wait(false, deadline); }

WaitResult Rounds::wait(bool to_read, clock::Deadline deadline) {
  for (int attempt = 0;; ++attempt) {
    if (is_aborted_.load()) return {WaitEnd::Cancelled, me_};
    std::optional<size_t> missing = to_read ? unpublished() : unfinished();
    if (!missing) return {};
    if (attempt < spins_) {
      pause_processor();
      continue;
    }
    if (attempt < spins_ + kYields) {
      ::sched_yield();
      continue;
    }
    const bool has_slept = attempt > spins_ + kYields;
    if (const std::optional<size_t> lost = has_slept ? lost_peer(*missing) : std::nullopt) {
      // What it published before it ended still counts, and is visible by now.
      missing = to_read ? unpublished() : unfinished();
      return missing ? WaitResult{WaitEnd::Lost, *lost} : WaitResult{};
    }
    if (clock::left(deadline) == milliseconds(0)) return {WaitEnd::Timeout, *missing};
    Control& owner = control(*missing);
    Word& word = to_read ? owner.published : owner.finished;
    const uint32_t seen = word.load();
    const uint64_t awaited = to_read ? finished_ : published_ - layout_.slots;
    if (!is_past(seen, awaited)) sleep_on(owner, word, seen, deadline);
  }
}

void Rounds::sleep_on(Control& owner, Word& word, uint32_t seen, clock::Deadline deadline) {
  owner.sleepers.fetch_add(1);
  if (word.load() == seen && owner.has_left.load() == 0 && !is_aborted_.load())
    futex_wait(word, seen, std::min(kSlice, clock::left(deadline)));
  owner.sleepers.fetch_sub(1);
}

std::optional<size_t> Rounds::lost_peer(size_t missing) const {
  std::vector<pollfd> polled;
  for (const int fd : pidfds_) polled.push_back({fd, POLLIN, 0});  // poll ignores -1
  // A dead peer is the cause of those who left because of it, so it is the one to name.
  if (::poll(polled.data(), polled.size(), 0) > 0) {
    for (size_t member = 0; member < polled.size(); ++member)
      if (polled[member].revents != 0 && control(member).has_left.load() == 0) return member;
  }
  if (control(missing).has_left.load() != 0) return missing;
  return std::nullopt;
}

void Rounds::abort() {
  if (is_aborted_.exchange(true)) return;
  control(me_).has_left.store(1);
  // Those who wait for me, and my own thread, which sleeps on a word of somebody else.
  for (size_t member = 0; member < layout_.members; ++member) {
    futex_wake_all(control(member).published);
    futex_wake_all(control(member).finished);
  }
}

}  // namespace zt::exchange
