// SPDX-License-Identifier: Apache-2.0
// Ranks on any hosts, over TCP. Of c10d's ProcessGroupGloo only send and receive between two ranks are used:
// every operation is a direct exchange with each peer. That moves no more than Gloo's own collectives (its
// reduce-scatter is an all-reduce), works for every type, sums in our order, and a failing wait tells which
// peer it was for. Gloo's thread moves the bytes while the caller computes.
//
// Gloo does not always tell a wait that its connection broke (seen with 2.13's when a peer died in the middle
// of a transfer: the wait ended at its timeout), so a watch of the rendezvous interrupts (lost_watch.hpp).
#include <ATen/ATen.h>
#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <optional>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <utility>

#include "base/text/text.hpp"
#include "dist/backends/backends.hpp"
#include "dist/backends/lost_watch.hpp"
#include "dist/backends/store_adapter.hpp"
#include "dist/tree_sum.hpp"

namespace zt::dist {
namespace {

using std::chrono::milliseconds;
using WorkPtr = c10::intrusive_ptr<c10d::Work>;

/// How long after a connection broke the rendezvous may take to notice which process has ended.
constexpr milliseconds kLostNameGrace(250);
/// How long a peer that gives up at about the same time may take to say for whom it waited.
constexpr milliseconds kGaveUpGrace(100);

struct Transfer {
  int peer = 0;
  WorkPtr work;
};

struct Running {
  Operation operation;
  bool has_begun = false;
  std::vector<Transfer> transfers = {};  ///< receives first
  std::vector<at::Tensor> parts = {};    ///< of a reduce-scatter, by rank
  int64_t received_bytes = 0;            ///< of them, what was allocated for the others'
  /// Set if a transfer could not even be started.
  int broken_peer = -1;
  std::string broken_reason = {};
};

class Gloo final : public Backend {
 public:
  Gloo(Meeting meeting, c10::intrusive_ptr<c10d::ProcessGroupGloo> group)
      : meeting_(std::move(meeting)), group_(std::move(group)) {}
  ~Gloo() override {
    if (watch_) watch_->stop();
    close();
  }
  Status watch_peers() {
    ZT_TRY_ASSIGN(watch_,
                  LostWatch::begin(meeting_, [this](Outcome outcome) { end_with(std::move(outcome)); }));
    return {};
  }

  std::string_view name() const override { return "gloo"; }
  void start(Operation operation) override;
  Outcome finish(uint64_t sequence, clock::Deadline deadline) override;
  void abort() override;

 private:
  int size() const { return meeting_.size(); }
  /// Ends the current wait and all later ones; the first call counts.
  void end_with(Outcome outcome);
  void begin_ready();
  /// What it will allocate.
  int64_t to_receive(const Operation& operation) const {
    return operation.kind == Primitive::ReduceScatter
               ? (size() - 1) * static_cast<int64_t>(operation.output.nbytes())
               : 0;
  }
  void begin(Running& running);
  void receive(Running& running, const at::Tensor& into, int peer);
  void send(Running& running, const at::Tensor& from, int peer);
  template <class Start>
  void transfer(Running& running, int peer, const Start& start);
  /// Waits for the transfers of the operation.
  Outcome complete(Running& running, clock::Deadline deadline);
  bool wait_for(const Transfer& transfer, clock::Deadline deadline, std::string& reason);
  /// What a failed transfer with `peer` means.
  Outcome explain(const Running& running, int peer, bool is_timeout, std::string reason) const;
  int first_missing(int peer) const;
  bool has_ended() {
    const std::lock_guard lock(current_mutex_);
    return ended_.has_value();
  }
  Outcome why_ended(uint64_t sequence);
  void close();

  const Meeting meeting_;
  std::mutex use_;  ///< held by start() and finish(); abort() takes it to close
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;  ///< null once closed
  std::deque<Running> queue_;                         ///< not complete, in order
  std::mutex current_mutex_;
  WorkPtr current_;               ///< being waited for
  std::optional<Outcome> ended_;  ///< why nothing is waited for any more
  std::unique_ptr<LostWatch> watch_;
};

/// Gloo matches sends and receives of a pair by a number of 31 bits. With the fingerprint in it, ranks that
/// do different things wait for each other in vain instead of mixing up their bytes.
int tag_of(const Operation& operation) {
  constexpr int kSequenceBits = 16;
  const auto sequence = static_cast<uint32_t>(operation.sequence) & ((1u << kSequenceBits) - 1);
  return static_cast<int>(((operation.fingerprint & 0x7FFFu) << kSequenceBits) | sequence);
}

void Gloo::end_with(Outcome outcome) {
  const std::lock_guard lock(current_mutex_);
  if (ended_) return;
  ended_ = std::move(outcome);
  if (current_) current_->abort();
}

void Gloo::start(Operation operation) {
  const std::lock_guard lock(use_);
  watch_->trace().started(operation);
  queue_.push_back({std::move(operation)});
  begin_ready();
}

void Gloo::begin_ready() {
  int64_t received_bytes = 0;
  for (size_t i = 0; i < queue_.size() && group_; ++i) {
    Running& running = queue_[i];
    const bool must_wait = running.operation.follows && i > 0;  // later ones have buffers of their own
    if (!running.has_begun && !must_wait) {
      // One that is larger than the window begins when nothing else is held.
      const int64_t more = to_receive(running.operation);
      if (received_bytes > 0 && more > 0 && received_bytes + more > Communicator::kGlooWindowBytes) return;
      begin(running);
    }
    received_bytes += running.received_bytes;
  }
}

void Gloo::begin(Running& running) {
  running.has_begun = true;
  Operation& operation = running.operation;
  const bool is_empty = operation.output.numel() == 0;  // a barrier: one byte each
  const at::Tensor input = is_empty ? at::zeros({1}, at::kByte) : operation.input;
  const at::Tensor output = is_empty ? at::zeros({size()}, at::kByte) : operation.output;
  const int64_t part = operation.kind == Primitive::Broadcast ? 0 : std::min(input.numel(), output.numel());
  if (operation.kind == Primitive::ReduceScatter) {
    const at::Tensor received = at::empty({part * (size() - 1)}, output.options());
    running.parts = parts_by_rank(input, received, meeting_.rank, size());
    running.received_bytes = static_cast<int64_t>(received.nbytes());
  }
  for (const bool receives : {true, false}) {
    for (int peer = 0; peer < size(); ++peer) {
      if (peer == meeting_.rank) continue;
      switch (operation.kind) {
        case Primitive::AllGather:
          if (receives)
            receive(running, output.narrow(0, peer * part, part), peer);
          else
            send(running, input, peer);
          break;
        case Primitive::ReduceScatter:
          if (receives)
            receive(running, running.parts[static_cast<size_t>(peer)], peer);
          else
            send(running, input.narrow(0, peer * part, part), peer);
          break;
        case Primitive::Broadcast:
          if (receives && peer == operation.root)
            receive(running, output, peer);
          else if (!receives && operation.root == meeting_.rank)
            send(running, output, peer);
          break;
      }
    }
  }
}

void Gloo::receive(Running& running, const at::Tensor& into, int peer) {
  transfer(running, peer, [&] {
    std::vector<at::Tensor> one{into};
    return group_->recv(one, peer, tag_of(running.operation));
  });
}

void Gloo::send(Running& running, const at::Tensor& from, int peer) {
  transfer(running, peer, [&] {
    std::vector<at::Tensor> one{from};
    return group_->send(one, peer, tag_of(running.operation));
  });
}

template <class Start>
void Gloo::transfer(Running& running, int peer, const Start& start) {
  if (running.broken_peer >= 0) return;
  try {
    running.transfers.push_back({peer, start()});
  } catch (const std::exception& e) {  // third-party leaf: Gloo throws when a connection is broken
    running.broken_peer = peer;
    running.broken_reason = e.what();
  }
}

Outcome Gloo::finish(uint64_t sequence, clock::Deadline deadline) {
  const std::lock_guard lock(use_);
  while (!queue_.empty() && queue_.front().operation.sequence <= sequence) {
    begin_ready();
    Running& running = queue_.front();
    watch_->trace().wait_begins();
    Outcome outcome = complete(running, deadline);
    watch_->trace().wait_ends();
    if (outcome.kind != Outcome::Kind::Done) {
      close();
      return outcome;
    }
    queue_.pop_front();
  }
  if (!group_) return why_ended(sequence);  // abort() dropped the queue
  begin_ready();
  return {Outcome::Kind::Done, sequence, {}, {}};
}

Outcome Gloo::why_ended(uint64_t sequence) {
  const std::lock_guard lock(current_mutex_);
  if (!ended_) return {Outcome::Kind::Cancelled, sequence, {}, {}};
  if (ended_->kind != Outcome::Kind::Diverged) ended_->sequence = sequence;
  return *ended_;
}

Outcome Gloo::complete(Running& running, clock::Deadline deadline) {
  if (!running.has_begun) return why_ended(running.operation.sequence);  // started after abort()
  if (running.broken_peer >= 0) return explain(running, running.broken_peer, false, running.broken_reason);
  for (const Transfer& transfer : running.transfers) {
    std::string reason;
    if (wait_for(transfer, deadline, reason)) continue;
    if (has_ended()) return why_ended(running.operation.sequence);
    const bool is_timeout = clock::left(deadline) == milliseconds(0);
    return explain(running, transfer.peer, is_timeout, std::move(reason));
  }
  const Operation& operation = running.operation;
  if (operation.kind == Primitive::ReduceScatter) tree_sum(operation.output, running.parts);
  if (operation.kind == Primitive::AllGather && operation.output.numel() > 0) {
    const int64_t part = operation.input.numel();
    const at::Tensor mine = operation.output.narrow(0, meeting_.rank * part, part);
    if (mine.data_ptr() != operation.input.data_ptr()) mine.copy_(operation.input);
  }
  if (operation.then) operation.then();
  return {Outcome::Kind::Done, running.operation.sequence, {}, {}};
}

bool Gloo::wait_for(const Transfer& transfer, clock::Deadline deadline, std::string& reason) {
  {
    const std::lock_guard lock(current_mutex_);
    if (ended_) return false;
    current_ = transfer.work;
  }
  bool is_done = false;
  try {
    // Zero would mean Gloo's default.
    is_done = transfer.work->wait(std::max(clock::left(deadline), milliseconds(1)));
  } catch (const std::exception& e) {  // third-party leaf
    reason = e.what();
  }
  const std::lock_guard lock(current_mutex_);
  current_.reset();
  return is_done;
}

// A process that ends breaks its connections, and survivors that give up break theirs: the peer whose
// connection broke first here need not be the cause. The rendezvous knows whose process ended.
Outcome Gloo::explain(const Running& running, int peer, bool is_timeout, std::string reason) const {
  const uint64_t sequence = running.operation.sequence;
  if (!is_timeout) {
    if (const std::optional<int> lost = lost_member(meeting_, clock::in(kLostNameGrace)))
      return {Outcome::Kind::PeerLost, sequence, {*lost}, std::move(reason)};
    // A peer that found out that the two differ has left.
    if (auto diverged = compare_schedules(watch_->trace(), meeting_, *meeting_.store))
      return *std::move(diverged);
  } else {
    // Should the rendezvous be gone too, the others name this rank; there is nothing better to do.
    [[maybe_unused]] const Status ignored =
        meeting_.store->set(gave_up_key(meeting_, meeting_.rank), std::to_string(peer));
  }
  const int missing = first_missing(peer);
  const bool was_waiting = is_timeout || missing != peer;
  return {
      was_waiting ? Outcome::Kind::Timeout : Outcome::Kind::PeerLost, sequence, {missing}, std::move(reason)};
}

// The peer may itself have waited in vain for somebody else, whose data this rank had already got.
int Gloo::first_missing(int peer) const {
  for (int followed = 0; followed < size(); ++followed) {
    const auto next = meeting_.store->get(gave_up_key(meeting_, peer), clock::in(kGaveUpGrace));
    const auto waited_for = next ? text::to_number<int>(*next) : std::nullopt;
    if (!waited_for || *waited_for < 0 || *waited_for >= size()) break;
    peer = *waited_for;
  }
  return peer;
}

void Gloo::abort() {
  end_with({Outcome::Kind::Cancelled, 0, {}, {}});
  watch_->stop();
  give_up(meeting_);
  const std::lock_guard lock(use_);
  close();
}

void Gloo::close() {
  queue_.clear();
  group_.reset();
}

}  // namespace

Result<std::unique_ptr<Backend>> make_gloo(const Meeting& meeting) {
  struct sigaction on_broken_pipe {};
  ::sigaction(SIGPIPE, nullptr, &on_broken_pipe);
  if (on_broken_pipe.sa_handler != SIG_IGN)  // Gloo writes without MSG_NOSIGNAL
    return fail(ErrorCode::Internal,
                "Gloo needs SIGPIPE ignored (base/signals.hpp), or a dead peer kills this rank");
  try {  // third-party leaf
    const milliseconds timeout = std::max(clock::left(meeting.deadline), milliseconds(1));
    auto options = c10d::ProcessGroupGloo::Options::create(timeout);
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(meeting.address));
    options->threads = 1;  // for collectives, which are not used
    auto store = c10::make_intrusive<StoreAdapter>(meeting.store, meeting.prefix + "gloo/", timeout);
    auto backend = std::make_unique<Gloo>(
        meeting, c10::make_intrusive<c10d::ProcessGroupGloo>(store, meeting.rank, meeting.size(), options));
    ZT_TRY(backend->watch_peers());
    return backend;
  } catch (const StoreError& e) {
    return fail(e.error);
  } catch (const std::exception& e) {
    return fail(ErrorCode::Unavailable, fmt::format("Gloo can't connect the ranks: {}", e.what()));
  }
}

}  // namespace zt::dist
