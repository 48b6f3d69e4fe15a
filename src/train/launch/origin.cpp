// SPDX-License-Identifier: Apache-2.0
// See origin.hpp.
#include "train/launch/origin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/log.hpp"
#include "contract/checkpoint_folder.hpp"

namespace zt::train {
namespace {

/// The steps that one rank holds: its own, and its ward's.
struct HeldSteps {
  std::vector<double> own, held;
};

bool has(const std::vector<double>& steps, int64_t step) {
  return std::ranges::find(steps, static_cast<double>(step)) != steps.end();
}

constexpr size_t kHeld = checkpoint::MemoryTier::kHeld;

/// Every rank's, in order of rank.
Result<std::vector<HeldSteps>> steps_of_all(Ranks& ranks, const checkpoint::Memory& memory) {
  const std::vector<int64_t> own = memory.own.steps(), held = memory.held.steps();
  std::vector<double> mine{static_cast<double>(own.size())};  // how many are own, then all
  mine.insert(mine.end(), own.begin(), own.end());
  mine.insert(mine.end(), held.begin(), held.end());
  ZT_TRY_ASSIGN(const auto rows, ranks.gather(mine, 1 + 2 * kHeld, "steps held in memory"));
  std::vector<HeldSteps> steps_by_rank;
  for (const std::vector<double>& row : rows) {
    const auto border = row.begin() + 1 + static_cast<std::ptrdiff_t>(row.front());
    steps_by_rank.push_back({{row.begin() + 1, border}, {border, row.end()}});
  }
  return steps_by_rank;
}

/// Who can give `step` to each rank; nothing if a rank finds it nowhere.
std::optional<std::vector<int64_t>> holders_of(int64_t step, const std::vector<HeldSteps>& steps_by_rank,
                                               const PeerRule& peers) {
  std::vector<int64_t> holders;
  for (int64_t rank = 0; rank < std::ssize(steps_by_rank); ++rank) {
    const HeldSteps& of_holder = steps_by_rank[static_cast<size_t>(peers.holder(rank))];
    if (has(steps_by_rank[static_cast<size_t>(rank)].own, step)) {
      holders.push_back(rank);
    } else if (peers.distance > 0 && has(peers.are_twins ? of_holder.own : of_holder.held, step)) {
      holders.push_back(peers.holder(rank));
    } else {
      return std::nullopt;
    }
  }
  return holders;
}

std::optional<exchange::SnapshotFile::Held> found(const checkpoint::MemoryTier& tier, int64_t step) {
  const auto held = tier.held();
  const auto at = std::ranges::find(held, step, &exchange::SnapshotFile::Held::step);
  return at == held.end() ? std::nullopt : std::optional(*at);
}

/// This rank's part in bringing the step to those that lack it: as their holder, and as one of them.
Status fetch(Ranks& ranks, checkpoint::Memory& memory, const Origin& origin, clock::Deadline deadline) {
  const PeerRule peers = ranks.peers();
  const checkpoint::PeerLinks links = ranks.peer_links();
  // In the order in which the links were formed, so that no two ranks wait for each other.
  std::array<int64_t, 2> owners{ranks.rank(), peers.ward(ranks.rank())};
  std::ranges::sort(owners, {}, [&](int64_t owner) { return peers.place(owner); });
  Status all;
  for (const int64_t owner : owners) {
    if (origin.holders[static_cast<size_t>(owner)] == owner) continue;
    const Status one =
        owner == ranks.rank()
            ? checkpoint::take_over(*links.to_holder, memory.own.file(), deadline)
            : checkpoint::pass_on(*links.from_ward,
                                  found(peers.are_twins ? memory.own : memory.held, *origin.memory_step),
                                  deadline);
    if (all) all = one;  // after an error too: the other pair waits for this rank
  }
  return all;
}

/// Brings the step to those that lack it. One that could not be brought makes all start from disk.
Status bring(Ranks& ranks, checkpoint::Memory& memory, Origin& origin) {
  ranks.note_wait("snapshots of neighbours");
  const Status fetched = fetch(ranks, memory, origin, ranks.deadline());
  if (!fetched) log::warn("train", "no snapshot from a neighbour's memory: " + fetched.error().text());
  ZT_TRY_ASSIGN(const bool have_all, ranks.all_agree(fetched.has_value(), "snapshots of neighbours"));
  if (!have_all) {
    origin.memory_step.reset();
    origin.holders.clear();
  }
  return {};
}

/// Of the launch that made the snapshot, as far as this rank's memory knows it; else 0.
int64_t generation_of(int64_t step, const checkpoint::Memory& memory) {
  for (const checkpoint::MemoryTier* tier : {&memory.own, &memory.held})
    if (const auto held = found(*tier, step)) return held->generation;
  return 0;
}

/// The step of the newest whole checkpoint if it is later than `step` and of the launch that made that
/// snapshot, or of a later one: earlier ones may hold steps that were found damaged, and given up. Else -1.
/// Reads it: the memory is given up for it.
int64_t later_on_disk(const std::filesystem::path& checkpoints, int64_t step,
                      const checkpoint::Memory& memory) {
  for (const contract::CheckpointEntry& entry :
       checkpoint::newest_first(contract::list_checkpoints(checkpoints))) {
    if (entry.defect) continue;
    if (entry.step <= step || entry.generation < generation_of(step, memory)) return -1;
    if (checkpoint::Reader::open(entry.folder)) return entry.step;
  }
  return -1;
}

/// Gives the memory up where the first rank sees a later step on disk.
Status prefer_newer_disk(Ranks& ranks, const std::filesystem::path& checkpoints, Origin& origin) {
  const int64_t mine = ranks.is_first() ? later_on_disk(checkpoints, *origin.memory_step, origin.memory) : -1;
  ZT_TRY_ASSIGN(const auto on_disk, ranks.from_first({static_cast<double>(mine)}, "the newest checkpoint"));
  if (on_disk.front() < 0) return {};
  if (ranks.is_first())
    log::info("train", fmt::format("the memory's newest step is {}, the disk's {:.0f}", *origin.memory_step,
                                   on_disk.front()));
  origin.memory_step.reset();
  origin.holders.clear();
  return {};
}

}  // namespace

Result<Origin> agree_on_origin(Ranks& ranks, checkpoint::Memory& memory,
                               const std::filesystem::path& checkpoints, bool is_restart) {
  ZT_TRY_ASSIGN(const std::vector<HeldSteps> steps_by_rank, steps_of_all(ranks, memory));
  Origin origin{memory, {}, is_restart};
  for (const HeldSteps& steps_there : steps_by_rank) {
    for (const std::vector<double>* steps : {&steps_there.own, &steps_there.held}) {
      for (const double found_step : *steps) {
        const auto step = static_cast<int64_t>(found_step);
        if (origin.memory_step && *origin.memory_step >= step) continue;
        auto holders = holders_of(step, steps_by_rank, ranks.peers());
        if (!holders) continue;
        origin.memory_step = step;
        origin.holders = std::move(*holders);
      }
    }
  }
  if (origin.memory_step) ZT_TRY(prefer_newer_disk(ranks, checkpoints, origin));
  for (int64_t rank = 0; rank < std::ssize(origin.holders); ++rank) {
    if (origin.holders[static_cast<size_t>(rank)] == rank) continue;
    ZT_TRY(bring(ranks, memory, origin));  // for all that lack it
    break;
  }
  return origin;
}

namespace {

/// Errors: Unavailable, on all ranks, if they don't name the same.
Status agree_on_step(Ranks& ranks, std::optional<int64_t> newest_step) {
  constexpr int64_t kNone = -1;
  ZT_TRY_ASSIGN(const auto by_rank, ranks.gather({static_cast<double>(newest_step.value_or(kNone))},
                                                 /*longest=*/1, "newest checkpoint"));
  const auto text = [](double step) { return step < 0 ? "none" : fmt::format("step {}", step); };
  for (size_t rank = 1; rank < by_rank.size(); ++rank) {
    if (by_rank[rank] == by_rank[0]) continue;
    return fail(ErrorCode::Unavailable,
                fmt::format("rank {} sees another newest checkpoint ({}) than rank 0 ({}): do their hosts "
                            "see the same run folder? Try again once they do",
                            rank, text(by_rank[rank].at(0)), text(by_rank[0].at(0))));
  }
  return {};
}

}  // namespace

Result<std::optional<checkpoint::Found>> open_together(Ranks& ranks,
                                                       const std::filesystem::path& checkpoints) {
  const auto listed = contract::list_checkpoints(checkpoints);
  ZT_TRY(agree_on_step(ranks, listed.empty() ? std::nullopt : std::optional(listed.back().step)));
  if (listed.empty()) return std::nullopt;
  checkpoint::SharedVerification verification;
  verification.share = {static_cast<size_t>(ranks.rank()), static_cast<size_t>(ranks.size())};
  verification.all_agree = [&](bool mine) { return ranks.all_agree(mine, "checkpoint's files"); };
  ZT_TRY_ASSIGN(checkpoint::Found found, checkpoint::open_newest(checkpoints, verification));
  ZT_TRY(agree_on_step(ranks, found.reader.manifest().step));
  return found;
}

std::string text_of_holders(const std::vector<int64_t>& holders) {
  std::string out;
  const auto size = std::ssize(holders);
  for (int64_t first = 0, end = 0; first < size; first = end) {
    const auto is_own = [&](int64_t rank) { return holders[static_cast<size_t>(rank)] == rank; };
    for (end = first + 1; end < size && is_own(first) && is_own(end);) ++end;
    if (!out.empty()) out += ", ";
    if (!is_own(first))
      out += fmt::format("rank {} peer (held by rank {})", first, holders[static_cast<size_t>(first)]);
    else if (end == first + 1)
      out += fmt::format("rank {} memory", first);
    else
      out += fmt::format("ranks {}-{} memory", first, end - 1);
  }
  return out;
}

}  // namespace zt::train
