// SPDX-License-Identifier: Apache-2.0
// Ranks on GPUs, one each. Operations run on a stream of the group's own, in the order of their start, so
// that they overlap with the caller's kernels; a wait is the host's, for the event behind the operation. A
// reduce-scatter is a direct exchange of the parts and our own tree of sums: it moves what NCCL's moves, and
// the result has the bits of every other backend's, at the price of memory for the parts received, of one
// operation at a time.
//
// Everything of CUDA goes through libtorch's device-neutral streams and events, and NCCL itself is opened at
// run time: this file needs nccl.h and nothing else to compile.
#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "dist/backends/backends.hpp"
#include "dist/backends/lost_watch.hpp"
#include "dist/backends/nccl_library.hpp"
#include "dist/tree_sum.hpp"

namespace zt::dist {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// Between two looks at what runs on the GPU: far below the time of an exchange that is worth waiting for.
constexpr microseconds kPoll(20);
/// How long the rendezvous may take to notice which process has ended.
constexpr milliseconds kLostNameGrace(250);
/// How long NCCL may take to put an operation on the stream; the first of a kind connects the ranks.
constexpr std::chrono::minutes kEnqueueLimit(2);
/// How long peers that give up at about the same time may take to say so.
constexpr milliseconds kGaveUpGrace(500);

struct Pending {
  Operation operation;
  std::vector<at::Tensor> parts;  ///< of a reduce-scatter, by rank, until its sum is on the stream
  c10::Event done;
};

size_t num_bytes(const at::Tensor& tensor) { return static_cast<size_t>(tensor.nbytes()); }

class Nccl final : public Backend {
 public:
  Nccl(Meeting meeting, const NcclLibrary& nccl)
      : meeting_(std::move(meeting)),
        nccl_(nccl),
        stream_(c10::impl::VirtualGuardImpl(at::kCUDA).getStreamFromGlobalPool(meeting_.device,
                                                                               /*isHighPriority=*/true)) {}
  ~Nccl() override {
    if (watch_) watch_->stop();
    close();
  }
  /// Collective.
  Status connect();

  std::string_view name() const override { return "nccl"; }
  at::DeviceType device_type() const override { return at::kCUDA; }
  void start(Operation operation) override;
  Outcome finish(uint64_t sequence, clock::Deadline deadline) override;
  void abort() override;

 private:
  int size() const { return meeting_.size(); }
  Result<ncclUniqueId> agree_on_id() const;
  /// NCCL's calls may go on in the background; nothing else may be asked of it until they have ended, and
  /// nothing put behind them on the stream.
  ncclResult_t settle(ncclResult_t called, clock::Deadline deadline);
  std::string reason(ncclResult_t result) const;
  ncclResult_t enqueue(Pending& pending);
  ncclResult_t exchange_parts(Pending& pending, cudaStream_t stream);
  Outcome complete(const Pending& pending, clock::Deadline deadline);
  Outcome explain_timeout(uint64_t sequence) const;
  std::optional<Outcome> ended(uint64_t sequence);
  /// Ends the current wait and all later ones; the first call counts.
  void end_with(Outcome outcome);
  void close();

  const Meeting meeting_;
  const NcclLibrary& nccl_;
  const c10::Stream stream_;
  std::mutex use_;             ///< held by start() and finish(); abort() takes it to close
  ncclComm_t comm_ = nullptr;  ///< null once closed
  std::deque<Pending> queue_;  ///< not complete, in order
  std::mutex ended_mutex_;
  std::optional<Outcome> ended_;  ///< why nothing is waited for any more
  std::unique_ptr<LostWatch> watch_;
};

Result<ncclUniqueId> Nccl::agree_on_id() const {
  ncclUniqueId id;
  const std::string key = meeting_.prefix + "nccl-id";
  if (meeting_.rank == 0) {
    if (const ncclResult_t result = nccl_.get_unique_id(&id); result != ncclSuccess)
      return fail(ErrorCode::Unavailable, "NCCL can't begin a group: " + reason(result));
    ZT_TRY(meeting_.store->set(key, std::string(id.internal, sizeof id.internal)));
    return id;
  }
  ZT_TRY_ASSIGN(const std::string bytes, meeting_.store->get(key, meeting_.deadline));
  if (bytes.size() != sizeof id.internal)
    return fail(ErrorCode::Corrupt, fmt::format("'{}' in the rendezvous is not an NCCL identity", key));
  std::memcpy(id.internal, bytes.data(), bytes.size());
  return id;
}

Status Nccl::connect() {
  ZT_TRY_ASSIGN(const ncclUniqueId id, agree_on_id());
  const c10::DeviceGuard guard(meeting_.device);
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  const ncclResult_t called =
      settle(nccl_.comm_init_rank(&comm_, size(), id, meeting_.rank, &config), meeting_.deadline);
  if (called != ncclSuccess)
    return fail(ErrorCode::Unavailable, "NCCL can't connect the ranks: " + reason(called));
  ZT_TRY_ASSIGN(watch_,
                LostWatch::begin(meeting_, [this](Outcome outcome) { end_with(std::move(outcome)); }));
  return {};
}

ncclResult_t Nccl::settle(ncclResult_t called, clock::Deadline deadline) {
  while (called == ncclInProgress && clock::left(deadline) > milliseconds(0) && !ended(0)) {
    std::this_thread::sleep_for(kPoll);
    const ncclResult_t asked = nccl_.comm_get_async_error(comm_, &called);
    if (asked != ncclSuccess) return asked;
  }
  return called;
}

std::string Nccl::reason(ncclResult_t result) const {
  const char* detail = nccl_.get_last_error(comm_);
  return fmt::format("{} ({})", nccl_.get_error_string(result), detail != nullptr ? detail : "");
}

void Nccl::start(Operation operation) {
  const std::lock_guard lock(use_);
  if (comm_ == nullptr) return;
  watch_->trace().started(operation);
  const c10::DeviceGuard device(meeting_.device);
  c10::Event ready(at::kCUDA);
  ready.record(c10::impl::VirtualGuardImpl(at::kCUDA).getStream(meeting_.device));
  ready.block(stream_);
  Pending& pending = queue_.emplace_back(Pending{std::move(operation), {}, c10::Event(at::kCUDA)});
  {
    const c10::StreamGuard stream(stream_);
    if (const ncclResult_t result = enqueue(pending); result != ncclSuccess)
      end_with({Outcome::Kind::PeerLost, 0, {}, reason(result)});
    else if (pending.operation.then)
      pending.operation.then();
  }
  pending.done.record(stream_);
}

ncclResult_t Nccl::enqueue(Pending& pending) {
  const Operation& operation = pending.operation;
  auto* const stream = static_cast<cudaStream_t>(stream_.native_handle());
  const clock::Deadline deadline = clock::in(kEnqueueLimit);
  if (operation.kind == Primitive::ReduceScatter) {
    const ncclResult_t result = settle(exchange_parts(pending, stream), deadline);
    if (result != ncclSuccess) return result;
    tree_sum(operation.output, pending.parts);
    // Allocated on this stream and used on it alone, so the allocator gives the memory to what follows on it:
    // however many sums are started at once, one at a time holds what it receives.
    pending.parts.clear();
    return result;
  }
  void* const output = operation.output.data_ptr();
  if (operation.kind == Primitive::Broadcast)
    return settle(nccl_.broadcast(output, output, num_bytes(operation.output), ncclUint8, operation.root,
                                  comm_, stream),
                  deadline);
  if (operation.output.numel() > 0)
    return settle(nccl_.all_gather(operation.input.data_ptr(), output, num_bytes(operation.input), ncclUint8,
                                   comm_, stream),
                  deadline);
  pending.parts.push_back(at::zeros({size()}, operation.output.options()));  // a barrier: one byte each
  auto* const bytes = static_cast<std::byte*>(pending.parts.front().data_ptr());
  return settle(nccl_.all_gather(bytes + meeting_.rank, bytes, 1, ncclUint8, comm_, stream), deadline);
}

ncclResult_t Nccl::exchange_parts(Pending& pending, cudaStream_t stream) {
  const Operation& operation = pending.operation;
  const int64_t part = operation.output.numel();
  const size_t bytes = num_bytes(operation.output);
  const at::Tensor received = at::empty({part * (size() - 1)}, operation.output.options());
  pending.parts = parts_by_rank(operation.input, received, meeting_.rank, size());
  ncclResult_t first_failure = nccl_.group_start();
  const auto note = [&](ncclResult_t result) {
    if (result != ncclSuccess && result != ncclInProgress && first_failure == ncclSuccess)
      first_failure = result;
  };
  for (int peer = 0; peer < size(); ++peer) {
    if (peer == meeting_.rank) continue;
    const at::Tensor theirs = operation.input.narrow(0, peer * part, part);
    note(nccl_.send(theirs.data_ptr(), bytes, ncclUint8, peer, comm_, stream));
    note(nccl_.recv(pending.parts[static_cast<size_t>(peer)].data_ptr(), bytes, ncclUint8, peer, comm_,
                    stream));
  }
  const ncclResult_t ended = nccl_.group_end();
  return first_failure == ncclSuccess ? ended : first_failure;
}

Outcome Nccl::finish(uint64_t sequence, clock::Deadline deadline) {
  const std::lock_guard lock(use_);
  while (!queue_.empty() && queue_.front().operation.sequence <= sequence) {
    watch_->trace().wait_begins();
    Outcome outcome = complete(queue_.front(), deadline);
    watch_->trace().wait_ends();
    if (outcome.kind != Outcome::Kind::Done) {
      close();
      return outcome;
    }
    queue_.pop_front();
  }
  if (auto end = ended(sequence)) return *end;
  return {Outcome::Kind::Done, sequence, {}, {}};
}

Outcome Nccl::complete(const Pending& pending, clock::Deadline deadline) {
  const uint64_t sequence = pending.operation.sequence;
  while (!pending.done.query()) {
    if (auto end = ended(sequence)) return *end;
    ncclResult_t state = ncclSuccess;
    nccl_.comm_get_async_error(comm_, &state);
    if (state != ncclSuccess && state != ncclInProgress) {
      const std::optional<int> lost = lost_member(meeting_, clock::in(kLostNameGrace));
      return {Outcome::Kind::PeerLost, sequence, lost ? std::vector<int>{*lost} : std::vector<int>{},
              reason(state)};
    }
    if (clock::left(deadline) == milliseconds(0)) return explain_timeout(sequence);
    std::this_thread::sleep_for(kPoll);
  }
  if (auto end = ended(sequence)) return *end;
  return {Outcome::Kind::Done, sequence, {}, {}};
}

// NCCL does not say for whom it waits. Ranks that wait in vain give up at about the same time and say so;
// those that don't are the ones that are missing.
Outcome Nccl::explain_timeout(uint64_t sequence) const {
  [[maybe_unused]] const Status ignored = meeting_.store->set(gave_up_key(meeting_, meeting_.rank), "");
  std::vector<int> missing;
  const clock::Deadline until = clock::in(kGaveUpGrace);
  for (int rank = 0; rank < size(); ++rank)
    if (rank != meeting_.rank && !meeting_.store->get(gave_up_key(meeting_, rank), until))
      missing.push_back(rank);
  return {Outcome::Kind::Timeout, sequence, std::move(missing), {}};
}

std::optional<Outcome> Nccl::ended(uint64_t sequence) {
  const std::lock_guard lock(ended_mutex_);
  if (ended_ && ended_->kind != Outcome::Kind::Diverged) ended_->sequence = sequence;
  return ended_;
}

void Nccl::end_with(Outcome outcome) {
  const std::lock_guard lock(ended_mutex_);
  if (!ended_) ended_ = std::move(outcome);
}

void Nccl::abort() {
  end_with({Outcome::Kind::Cancelled, 0, {}, {}});
  watch_->stop();
  give_up(meeting_);
  const std::lock_guard lock(use_);
  close();
}

void Nccl::close() {
  if (comm_ != nullptr) nccl_.comm_abort(std::exchange(comm_, nullptr));  // also ends kernels that still wait
  queue_.clear();
}

}  // namespace

Result<std::unique_ptr<Backend>> make_nccl(const Meeting& meeting) {
  const auto nccl = nccl_library();
  ZT_TRY(agree(meeting, "nccl", nccl ? Status() : fail(nccl.error())));
  auto backend = std::make_unique<Nccl>(meeting, **nccl);
  ZT_TRY(backend->connect());
  return backend;
}

}  // namespace zt::dist
