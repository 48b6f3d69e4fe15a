// SPDX-License-Identifier: Apache-2.0
// Ranks on any hosts, over TCP. Of c10d's ProcessGroupGloo only send and receive between two ranks are used:
// every operation is a direct exchange with each peer. That moves no more than Gloo's own collectives (its
// reduce-scatter is an all-reduce), works for every type, sums in our order, and a failing wait tells which
// peer it was for. Gloo's thread moves the bytes while the caller computes.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <utility>

#include "dist/backends.hpp"
#include "dist/store_adapter.hpp"
#include "dist/tree_sum.hpp"
#include "rendezvous/server.hpp"

namespace zt::dist {
namespace {

using std::chrono::milliseconds;
using WorkPtr = c10::intrusive_ptr<c10d::Work>;

/// How long after a connection broke the rendezvous may take to notice which process has ended.
constexpr milliseconds kLostNameGrace(250);

struct Transfer {
  int peer = 0;
  WorkPtr work;
};

struct Running {
  Operation operation;
  bool has_begun = false;
  std::vector<Transfer> transfers = {};  ///< receives first
  std::vector<at::Tensor> parts = {};    ///< of a reduce-scatter, by rank
  /// Set if a transfer could not even be started.
  int broken_peer = -1;
  std::string broken_reason = {};
};

class Gloo final : public Backend {
 public:
  Gloo(Meeting meeting, c10::intrusive_ptr<c10d::ProcessGroupGloo> group)
      : meeting_(std::move(meeting)), group_(std::move(group)) {}
  ~Gloo() override { Gloo::abort(); }

  std::string_view name() const override { return "gloo"; }
  void start(Operation operation) override;
  Outcome finish(uint64_t sequence, clock::Deadline deadline) override;
  void abort() override;

 private:
  int size() const { return meeting_.size(); }
  void begin_ready();
  void begin(Running& running);
  void receive(Running& running, const at::Tensor& into, int peer);
  void send(Running& running, const at::Tensor& from, int peer);
  template <class Start>
  void transfer(Running& running, int peer, const Start& start);
  /// Waits for the transfers of the operation.
  Outcome complete(Running& running, clock::Deadline deadline);
  bool wait_for(const Transfer& transfer, clock::Deadline deadline, std::string& reason);
  Outcome peer_lost(const Running& running, int peer, std::string reason) const;
  void close();

  const Meeting meeting_;
  std::mutex use_;  ///< held by start() and finish(); abort() takes it to close
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;  ///< null once closed
  std::deque<Running> queue_;                         ///< not complete, in order
  std::mutex current_mutex_;
  WorkPtr current_;  ///< being waited for
  std::atomic<bool> is_aborted_ = false;
};

/// Gloo matches sends and receives of a pair by a number of 31 bits. With the fingerprint in it, ranks that
/// do different things wait for each other in vain instead of mixing up their bytes.
int tag_of(const Operation& operation) {
  constexpr int kSequenceBits = 16;
  const auto sequence = static_cast<uint32_t>(operation.sequence) & ((1u << kSequenceBits) - 1);
  return static_cast<int>(((operation.fingerprint & 0x7FFFu) << kSequenceBits) | sequence);
}

void Gloo::start(Operation operation) {
  const std::lock_guard lock(use_);
  queue_.push_back({std::move(operation)});
  begin_ready();
}

void Gloo::begin_ready() {
  for (size_t i = 0; i < queue_.size() && group_; ++i) {
    if (queue_[i].has_begun) continue;
    if (queue_[i].operation.follows && i > 0) continue;  // later ones have buffers of their own
    begin(queue_[i]);
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
    const at::Tensor received = at::empty({part * size()}, output.options());
    for (int rank = 0; rank < size(); ++rank)
      running.parts.push_back((rank == meeting_.rank ? input : received).narrow(0, rank * part, part));
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
    Outcome outcome = complete(running, deadline);
    if (outcome.kind != Outcome::Kind::Done) {
      close();
      return outcome;
    }
    queue_.pop_front();
  }
  begin_ready();
  return {is_aborted_ ? Outcome::Kind::Cancelled : Outcome::Kind::Done, sequence, {}, {}};
}

Outcome Gloo::complete(Running& running, clock::Deadline deadline) {
  const uint64_t sequence = running.operation.sequence;
  if (running.broken_peer >= 0) return peer_lost(running, running.broken_peer, running.broken_reason);
  for (const Transfer& transfer : running.transfers) {
    std::string reason;
    if (wait_for(transfer, deadline, reason)) continue;
    if (is_aborted_) return {Outcome::Kind::Cancelled, sequence, {}, {}};
    if (clock::left(deadline) == milliseconds(0))
      return {Outcome::Kind::Timeout, sequence, {transfer.peer}, std::move(reason)};
    return peer_lost(running, transfer.peer, std::move(reason));
  }
  if (is_aborted_) return {Outcome::Kind::Cancelled, sequence, {}, {}};
  const Operation& operation = running.operation;
  if (operation.kind == Primitive::ReduceScatter) tree_sum(operation.output, running.parts);
  if (operation.kind == Primitive::AllGather && operation.output.numel() > 0) {
    const int64_t part = operation.input.numel();
    const at::Tensor mine = operation.output.narrow(0, meeting_.rank * part, part);
    if (mine.data_ptr() != operation.input.data_ptr()) mine.copy_(operation.input);
  }
  if (operation.then) operation.then();
  return {Outcome::Kind::Done, sequence, {}, {}};
}

bool Gloo::wait_for(const Transfer& transfer, clock::Deadline deadline, std::string& reason) {
  {
    const std::lock_guard lock(current_mutex_);
    if (is_aborted_) return false;
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

// A process that ends breaks its connections, and survivors that give up break theirs: whoever's connection
// broke first here need not be the cause. The rendezvous knows whose process ended.
Outcome Gloo::peer_lost(const Running& running, int peer, std::string reason) const {
  const auto first = meeting_.store->get(rendezvous::kFirstLostKey, clock::in(kLostNameGrace));
  for (int rank = 0; first && rank < size(); ++rank) {
    if (std::to_string(meeting_.members[static_cast<size_t>(rank)].world_rank) == *first) peer = rank;
  }
  return {Outcome::Kind::PeerLost, running.operation.sequence, {peer}, std::move(reason)};
}

void Gloo::abort() {
  {
    const std::lock_guard lock(current_mutex_);
    is_aborted_ = true;
    if (current_) current_->abort();
  }
  const std::lock_guard lock(use_);
  close();
}

void Gloo::close() {
  queue_.clear();
  group_.reset();
}

}  // namespace

Result<std::unique_ptr<Backend>> make_gloo(const Meeting& meeting) {
  try {  // third-party leaf
    const milliseconds timeout = std::max(clock::left(meeting.deadline), milliseconds(1));
    auto options = c10d::ProcessGroupGloo::Options::create(timeout);
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(meeting.address));
    options->threads = 1;  // for collectives, which are not used
    auto store = c10::make_intrusive<StoreAdapter>(meeting.store, meeting.prefix + "gloo/", timeout);
    return std::make_unique<Gloo>(
        meeting, c10::make_intrusive<c10d::ProcessGroupGloo>(store, meeting.rank, meeting.size(), options));
  } catch (const StoreError& e) {
    return fail(e.error);
  } catch (const std::exception& e) {
    return fail(ErrorCode::Unavailable, fmt::format("Gloo can't connect the ranks: {}", e.what()));
  }
}

}  // namespace zt::dist
