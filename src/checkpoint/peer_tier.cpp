// SPDX-License-Identifier: Apache-2.0
// See peer_tier.hpp.
#include "checkpoint/peer_tier.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <exception>
#include <string_view>
#include <utility>

namespace zt::checkpoint {
namespace {

/// What comes before the bytes.
struct Notice {
  int64_t step = 0;
  int64_t generation = 0;
  uint64_t bytes = 0;
  uint64_t check = 0;
};

/// From the link's rank `giver` to the other.
Status send(dist::Communicator& link, int giver, void* data, size_t bytes, std::string_view what,
            clock::Deadline deadline) {
  const at::Tensor view = at::from_blob(data, {static_cast<int64_t>(bytes)}, at::kByte);
  return link.broadcast(view, giver, what).wait(deadline);
}

}  // namespace

Status pass_on(dist::Communicator& link, const std::optional<exchange::SnapshotFile::Held>& snapshot,
               clock::Deadline deadline) {
  const int giver = link.rank();
  Notice notice;
  if (snapshot) notice = {snapshot->step, snapshot->generation, snapshot->bytes.size(), snapshot->check};
  ZT_TRY(send(link, giver, &notice, sizeof notice, "notice of a snapshot", deadline));
  if (!snapshot) return fail(ErrorCode::NotFound, "there is no snapshot to pass on");
  uint8_t has_room = 0;
  ZT_TRY(send(link, 1 - giver, &has_room, sizeof has_room, "room for a snapshot", deadline));
  if (has_room == 0) return fail(ErrorCode::Exhausted, "the neighbour has no room for this rank's snapshots");
  auto* const bytes = const_cast<std::byte*>(snapshot->bytes.data());  // the giver's buffer is only read
  ZT_TRY(send(link, giver, bytes, snapshot->bytes.size(), "snapshot", deadline));
  uint8_t is_kept = 0;
  ZT_TRY(send(link, 1 - giver, &is_kept, sizeof is_kept, "receipt of a snapshot", deadline));
  if (is_kept == 0)
    return fail(
        ErrorCode::Corrupt,
        fmt::format("the neighbour got other bytes than the snapshot of step {} had", snapshot->step));
  return {};
}

Status take_over(dist::Communicator& link, exchange::SnapshotFile& file, clock::Deadline deadline) {
  const int giver = 1 - link.rank();
  Notice notice;
  ZT_TRY(send(link, giver, &notice, sizeof notice, "notice of a snapshot", deadline));
  if (notice.bytes == 0) return fail(ErrorCode::NotFound, "the neighbour has no snapshot to pass on");
  const Status room = file.reserve(notice.bytes);
  uint8_t has_room = room ? 1 : 0;
  ZT_TRY(send(link, link.rank(), &has_room, sizeof has_room, "room for a snapshot", deadline));
  ZT_TRY(room);
  ZT_TRY(send(link, giver, file.begin().data(), notice.bytes, "snapshot", deadline));
  const Status kept = file.commit_copy(notice.step, notice.generation, notice.bytes, notice.check);
  uint8_t is_kept = kept ? 1 : 0;
  ZT_TRY(send(link, link.rank(), &is_kept, sizeof is_kept, "receipt of a snapshot", deadline));
  return kept;
}

PeerCopies::PeerCopies(Memory& memory, PeerLinks links, std::chrono::milliseconds limit)
    : memory_(memory), links_(links), limit_(limit) {}

PeerCopies::~PeerCopies() { (void)await(); }

void PeerCopies::start(Direction& direction, std::function<Status()> copy) {
  if (direction.is_closed) return;
  direction.thread = std::thread([&direction, copy = std::move(copy)] {
    try {
      direction.made = copy();
    } catch (const std::exception& e) {  // thread entry
      direction.made = fail(ErrorCode::Internal, e.what());
    }
  });
}

Status PeerCopies::finish(Direction& direction) {
  if (!direction.thread.joinable()) return {};
  direction.thread.join();
  direction.is_closed = !direction.made && direction.made.error().code != ErrorCode::Corrupt;
  return direction.made;
}

void PeerCopies::begin() {
  if (!is_on()) return;
  start(out_, [this] { return pass_on(*links_.to_holder, memory_.own.file().newest(), clock::in(limit_)); });
  start(in_, [this] { return take_over(*links_.from_ward, memory_.held.file(), clock::in(limit_)); });
}

Status PeerCopies::await() {
  Status out = finish(out_), in = finish(in_);
  return out ? in : out;
}

}  // namespace zt::checkpoint
