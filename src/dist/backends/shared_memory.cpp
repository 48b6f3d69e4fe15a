// SPDX-License-Identifier: Apache-2.0
// Ranks of one host. Each operation is cut into rounds of one slot per rank (exchange/rounds.hpp); a rank
// copies what the others need into its slots when it starts the operation, as far as there are free ones,
// and the rest while it waits. Data is copied once in and once out; a reduce-scatter's copy out is the sum,
// read straight from all slots. There is no thread: while nobody waits, nobody works.
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <optional>
#include <utility>

#include "dist/backends/backends.hpp"
#include "dist/tree_sum.hpp"
#include "exchange/rounds.hpp"

namespace zt::dist {
namespace {

/// In front of every slot: what the round belongs to.
struct alignas(64) Header {
  uint64_t sequence;
  uint32_t fingerprint;
};
constexpr size_t kAlign = 64;

struct Running {
  Operation operation;
  size_t part_bytes = 0;   ///< what one rank gives to another
  size_t piece_bytes = 0;  ///< of a part, per round
  uint64_t num_rounds = 0;
  uint64_t published = 0;
  uint64_t finished = 0;

  /// Offset and length of a round's piece in a part.
  std::pair<size_t, size_t> piece(uint64_t round) const {
    const size_t begin = round * piece_bytes;
    return {begin, std::min(piece_bytes, part_bytes - begin)};
  }
};

std::byte* bytes_of(const at::Tensor& tensor) { return static_cast<std::byte*>(tensor.data_ptr()); }

class SharedMemory final : public Backend {
 public:
  SharedMemory(std::shared_ptr<exchange::Segment> segment, const exchange::Layout& layout, int rank)
      : layout_(layout), me_(static_cast<size_t>(rank)), rounds_(std::move(segment), layout, me_) {}
  Status watch_peers() { return rounds_.watch_peers(); }

  std::string_view name() const override { return "shared-memory"; }
  void start(Operation operation) override {
    queue_.push_back(plan(std::move(operation)));
    publish_ready();
  }
  Outcome finish(uint64_t sequence, clock::Deadline deadline) override;
  void abort() override { rounds_.abort(); }

 private:
  size_t size() const { return layout_.members; }
  Running plan(Operation operation) const;
  void publish_ready();
  void fill_slot(const Running& running) const;
  void read_round(const Running& running) const;
  void gather_round(const Running& running) const;
  void sum_round(const Running& running) const;
  std::optional<size_t> diverged_peer(const Operation& operation) const;
  const std::byte* payload_of(size_t member) const { return rounds_.slot_of(member) + sizeof(Header); }
  /// In a reduce-scatter a slot holds a piece for each of the others: where the one for `reader` lies.
  static size_t place_for(size_t reader, size_t writer) { return reader < writer ? reader : reader - 1; }

  const exchange::Layout layout_;
  const size_t me_;
  exchange::Rounds rounds_;
  std::deque<Running> queue_;  ///< not complete, in order
  size_t num_published_ = 0;   ///< leading ones whose rounds are all published
};

Running SharedMemory::plan(Operation operation) const {
  Running running;
  const size_t payload = layout_.slot_bytes - sizeof(Header);
  switch (operation.kind) {
    case Primitive::AllGather:
      running.part_bytes = operation.input.nbytes();
      running.piece_bytes = payload;
      break;
    case Primitive::ReduceScatter:
      running.part_bytes = operation.output.nbytes();
      running.piece_bytes = payload / (size() - 1) / kAlign * kAlign;
      break;
    case Primitive::Broadcast:
      running.part_bytes = operation.output.nbytes();
      running.piece_bytes = payload;
      break;
  }
  running.num_rounds =
      std::max<size_t>(1, (running.part_bytes + running.piece_bytes - 1) / running.piece_bytes);
  running.operation = std::move(operation);
  return running;
}

void SharedMemory::publish_ready() {
  for (; num_published_ < queue_.size(); ++num_published_) {
    Running& running = queue_[num_published_];
    if (running.operation.follows && num_published_ > 0) return;
    for (; running.published < running.num_rounds; ++running.published) {
      if (!rounds_.can_publish()) return;
      fill_slot(running);
      rounds_.publish();
    }
  }
}

void SharedMemory::fill_slot(const Running& running) const {
  const Operation& operation = running.operation;
  std::byte* const slot = rounds_.slot_to_fill();
  *reinterpret_cast<Header*>(slot) = {operation.sequence, operation.fingerprint};
  std::byte* const payload = slot + sizeof(Header);
  const auto [begin, length] = running.piece(running.published);
  if (length == 0) return;
  switch (operation.kind) {
    case Primitive::AllGather:
      std::memcpy(payload, bytes_of(operation.input) + begin, length);
      break;
    case Primitive::Broadcast:
      if (static_cast<size_t>(operation.root) == me_)
        std::memcpy(payload, bytes_of(operation.output) + begin, length);
      break;
    case Primitive::ReduceScatter:
      for (size_t reader = 0; reader < size(); ++reader) {
        if (reader == me_) continue;
        std::memcpy(payload + place_for(reader, me_) * running.piece_bytes,
                    bytes_of(operation.input) + reader * running.part_bytes + begin, length);
      }
      break;
  }
}

void SharedMemory::read_round(const Running& running) const {
  const Operation& operation = running.operation;
  if (running.part_bytes == 0) return;
  if (operation.kind == Primitive::AllGather) return gather_round(running);
  if (operation.kind == Primitive::ReduceScatter) return sum_round(running);
  const auto root = static_cast<size_t>(operation.root);
  const auto [begin, length] = running.piece(running.finished);
  if (root != me_) std::memcpy(bytes_of(operation.output) + begin, payload_of(root), length);
}

void SharedMemory::gather_round(const Running& running) const {
  const auto [begin, length] = running.piece(running.finished);
  const std::byte* const mine = bytes_of(running.operation.input) + begin;
  for (size_t member = 0; member < size(); ++member) {
    std::byte* const to = bytes_of(running.operation.output) + member * running.part_bytes + begin;
    const std::byte* const from = member == me_ ? mine : payload_of(member);
    if (from != to) std::memcpy(to, from, length);
  }
}

void SharedMemory::sum_round(const Running& running) const {
  const auto [begin, length] = running.piece(running.finished);
  const at::Tensor& output = running.operation.output;
  const auto element_bytes = static_cast<size_t>(output.element_size());
  const auto first = static_cast<int64_t>(begin / element_bytes);
  const auto numel = static_cast<int64_t>(length / element_bytes);
  std::vector<at::Tensor> parts;
  for (size_t member = 0; member < size(); ++member) {
    if (member == me_) {
      const int64_t own_part = output.numel() * static_cast<int64_t>(me_);
      parts.push_back(running.operation.input.narrow(0, own_part + first, numel));
    } else {
      const std::byte* const piece = payload_of(member) + place_for(me_, member) * running.piece_bytes;
      parts.push_back(at::from_blob(const_cast<std::byte*>(piece), {numel}, output.options()));
    }
  }
  tree_sum(output.narrow(0, first, numel), parts);
}

std::optional<size_t> SharedMemory::diverged_peer(const Operation& operation) const {
  for (size_t member = 0; member < size(); ++member) {
    if (member == me_) continue;
    const auto& header = *reinterpret_cast<const Header*>(rounds_.slot_of(member));
    if (header.sequence != operation.sequence || header.fingerprint != operation.fingerprint) return member;
  }
  return std::nullopt;
}

Outcome SharedMemory::finish(uint64_t sequence, clock::Deadline deadline) {
  while (!queue_.empty() && queue_.front().operation.sequence <= sequence) {
    publish_ready();
    Running& running = queue_.front();
    const uint64_t stuck_at = running.operation.sequence;
    const bool is_out = running.published > running.finished;
    const exchange::WaitResult waited =
        is_out ? rounds_.wait_to_read(deadline) : rounds_.wait_to_publish(deadline);
    const int peer = static_cast<int>(waited.member);
    switch (waited.end) {
      case exchange::WaitEnd::Ready:
        break;
      case exchange::WaitEnd::Timeout:
        return {Outcome::Kind::Timeout, stuck_at, {peer}, {}};
      case exchange::WaitEnd::Lost:
        return {Outcome::Kind::PeerLost, stuck_at, {peer}, {}};
      case exchange::WaitEnd::Cancelled:
        return {Outcome::Kind::Cancelled, stuck_at, {}, {}};
    }
    if (!is_out) continue;
    if (const std::optional<size_t> other = diverged_peer(running.operation))
      return {Outcome::Kind::Diverged, stuck_at, {static_cast<int>(*other)}, {}};
    read_round(running);
    rounds_.finish();
    if (++running.finished < running.num_rounds) continue;
    if (running.operation.then) running.operation.then();
    queue_.pop_front();
    --num_published_;
    publish_ready();
  }
  return {Outcome::Kind::Done, sequence, {}, {}};
}

/// The first rank makes the segment and offers it, the others attach.
Result<std::shared_ptr<exchange::Segment>> share_segment(const Meeting& meeting, size_t bytes) {
  const std::string key = meeting.prefix + "segment";
  if (meeting.rank == 0) {
    auto segment = exchange::Segment::create(bytes);
    // The others wait for it in any case: without one they hear why.
    ZT_TRY(meeting.store->set(key, segment ? (*segment)->offer().text() : "none: " + segment.error().text()));
    return segment;
  }
  ZT_TRY_ASSIGN(const std::string text, meeting.store->get(key, meeting.deadline));
  const auto offer = exchange::Segment::Offer::parse(text);
  if (!offer || offer->bytes != bytes)
    return fail(ErrorCode::Unavailable, fmt::format("'{}' is not an offer of {} bytes", text, bytes));
  return exchange::Segment::attach(*offer);
}

}  // namespace

Result<std::unique_ptr<Backend>> make_shared_memory(const Meeting& meeting) {
  for (const std::string& identity : meeting.host_identities) {
    if (identity != meeting.host_identities.front())
      return fail(ErrorCode::Unsupported, "shared memory needs all ranks on one host, under one user");
  }
  exchange::Layout layout;
  layout.members = static_cast<size_t>(meeting.size());
  auto segment = share_segment(meeting, layout.segment_bytes());
  std::unique_ptr<SharedMemory> backend;
  if (segment) backend = std::make_unique<SharedMemory>(*segment, layout, meeting.rank);
  ZT_TRY(agree(meeting, "segment-mapped", segment ? Status{} : Status(fail(segment.error()))));
  (*segment)->close_offer();
  ZT_TRY(backend->watch_peers());
  return backend;
}

}  // namespace zt::dist
