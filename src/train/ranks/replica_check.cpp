// SPDX-License-Identifier: Apache-2.0
// See replica_check.hpp.
#include "train/ranks/replica_check.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/hash.hpp"
#include "tensor/parallel.hpp"

namespace zt::train {
namespace {

uint64_t digest(const at::Tensor& flat_P) {
  const at::Tensor bytes = flat_P.detach().cpu();
  return hash::xxh64(
      {static_cast<const std::byte*>(bytes.const_data_ptr()), static_cast<size_t>(bytes.nbytes())});
}

/// Numbers as ranks exchange them: a double holds 32 bits of a digest exactly.
std::vector<double> to_numbers(std::span<const uint64_t> digests) {
  std::vector<double> numbers;
  for (const uint64_t one : digests) {
    numbers.push_back(static_cast<double>(one >> 32));
    numbers.push_back(static_cast<double>(one & UINT32_MAX));
  }
  return numbers;
}

std::vector<uint64_t> to_digests(std::span<const double> numbers) {
  std::vector<uint64_t> digests;
  for (size_t i = 0; i + 1 < numbers.size(); i += 2)
    digests.push_back(static_cast<uint64_t>(numbers[i]) << 32 | static_cast<uint64_t>(numbers[i + 1]));
  return digests;
}

/// Of a rank that should have the same as the others beside it.
struct Vote {
  int64_t rank = 0;
  bool is_owner = false;
  uint64_t digest = 0;
};

std::optional<Corruption> find_among(const Replicated& part, const std::vector<Vote>& votes) {
  std::map<uint64_t, size_t> counts;
  for (const Vote& vote : votes) ++counts[vote.digest];
  if (counts.size() < 2) return std::nullopt;
  const auto most = std::max_element(counts.begin(), counts.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  std::set<uint64_t> right;
  if (2 * most->second > votes.size())
    right = {most->first};
  else
    for (const Vote& vote : votes)
      if (vote.is_owner) right.insert(vote.digest);
  Corruption found{part.what, {}, /*is_undecided=*/right.size() != 1};
  for (const Vote& vote : votes)
    if (found.is_undecided || !right.contains(vote.digest)) found.ranks.push_back(vote.rank);
  return found;
}

}  // namespace

std::string text_of(const Corruption& corruption) {
  const bool is_one = corruption.ranks.size() == 1;
  const std::string ranks = fmt::format("rank{} {}", is_one ? "" : "s", fmt::join(corruption.ranks, ", "));
  if (corruption.is_undecided)
    return fmt::format("it can't be told which of the {} has the wrong bits in {}", ranks, corruption.what);
  return fmt::format("{} {} other bits in {} than the others", ranks, is_one ? "has" : "have",
                     corruption.what);
}

std::optional<Corruption> find_corruption(std::span<const Replicated> parts,
                                          std::span<const std::vector<uint64_t>> by_rank) {
  for (size_t p = 0; p < parts.size(); ++p) {
    const Replicated& part = parts[p];
    std::vector<std::vector<Vote>> by_place(part.is_by_place ? static_cast<size_t>(part.sharers) : 1);
    for (size_t rank = 0; rank < by_rank.size(); ++rank) {
      const int64_t place = static_cast<int64_t>(rank) % part.sharers;
      by_place[part.is_by_place ? static_cast<size_t>(place) : 0].push_back(
          {static_cast<int64_t>(rank), place == part.owner, by_rank[rank][p]});
    }
    for (const std::vector<Vote>& votes : by_place)
      if (auto found = find_among(part, votes)) return found;
  }
  return std::nullopt;
}

ReplicaCheck::ReplicaCheck(const params::ParamStore& store, Ranks& ranks, int64_t every, int64_t step)
    : store_(store), ranks_(ranks), every_(every), step_(step) {
  for (const params::Segment& segment : store.segments())
    if (segment.placement.trainable && segment.shard.count < ranks.size())
      gradients_.emplace(segment.shard.count, 0);
  for (const auto& [sharers, digest] : gradients_)
    gradient_parts_.push_back({"the summed gradients", sharers, -1, /*is_by_place=*/true});
  for (const params::Segment& segment : store.segments())
    for_each_part(segment, [&](int64_t owner, const at::Tensor&) {
      all_.push_back(weight_parts_.size());
      if (!segment.placement.trainable) frozen_.push_back(weight_parts_.size());
      weight_parts_.push_back(
          {"the weights of " + segment.unit, segment.shard.count, owner, !segment.keeps_values});
    });
}

template <class Take>
void ReplicaCheck::for_each_part(const params::Segment& segment, const Take& take) {
  const int64_t sharers = segment.shard.count;
  if (!segment.keeps_values || !segment.placement.trainable || sharers == 1)
    return take(-1, segment.kept_values());
  for (int64_t owner = 0; owner < sharers; ++owner) {
    const params::Range part = params::part_of({owner, sharers}, segment.values_P.numel());
    take(owner, segment.values_P.narrow(0, part.begin, part.size()));
  }
}

std::vector<uint64_t> ReplicaCheck::digest_weights() const {
  std::vector<at::Tensor> pieces;
  for (const params::Segment& segment : store_.segments())
    for_each_part(segment, [&](int64_t, const at::Tensor& piece) { pieces.push_back(piece); });
  std::vector<uint64_t> digests(pieces.size());
  tensor::parallel_for(0, static_cast<int64_t>(pieces.size()), 1, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
      digests[i] = digest(pieces[i]);
  });
  return digests;
}

void ReplicaCheck::went_to(int64_t step) {
  step_ = step;
  resting_.clear();
  last_check_.clear();
}

Status ReplicaCheck::changed_by_itself(std::string_view what, std::string_view since) const {
  return fail(
      ErrorCode::Corrupt,
      fmt::format("{} changed in the memory of rank {} {}: the memory or another part of that host is "
                  "at fault; leave it out",
                  what, ranks_.rank(), since));
}

Status ReplicaCheck::compare_own(const std::vector<size_t>& parts, const std::vector<uint64_t>& before,
                                 const std::vector<uint64_t>& now, std::string_view since) const {
  const auto changed = std::ranges::find_if(parts, [&](size_t part) { return before[part] != now[part]; });
  if (changed == parts.end()) return {};
  return changed_by_itself(weight_parts_[*changed].what, since);
}

Status ReplicaCheck::updated(const std::optional<std::string>& changed) const {
  if (every_ == 0 || !changed) return {};
  return changed_by_itself("the " + *changed, "between two updates");
}

Status ReplicaCheck::before_update() {
  ++step_;
  found_.reset();
  if (resting_.empty()) return {};
  const std::vector<uint64_t> rested = std::exchange(resting_, {});
  return compare_own(all_, rested, digest_weights(), "between two updates");
}

void ReplicaCheck::gradients_are_summed() {
  if (!is_due()) return;
  for (auto& [sharers, sum] : gradients_) sum = 0;
  for (const params::Segment& segment : store_.segments()) {
    const auto sum = gradients_.find(segment.shard.count);
    if (segment.touched && sum != gradients_.end())
      sum->second = sum->second * 31 + digest(segment.gradients_S);
  }
}

Status ReplicaCheck::after_update() {
  if (!is_due()) return {};
  resting_ = digest_weights();
  const std::vector<uint64_t> before = std::exchange(last_check_, resting_);
  std::vector<uint64_t> mine;
  for (const auto& [sharers, sum] : gradients_) mine.push_back(sum);
  mine.insert(mine.end(), resting_.begin(), resting_.end());
  std::vector<Replicated> parts = gradient_parts_;
  parts.insert(parts.end(), weight_parts_.begin(), weight_parts_.end());
  ZT_TRY_ASSIGN(const auto rows, ranks_.gather(to_numbers(mine), 2 * parts.size(), "digests"));
  std::vector<std::vector<uint64_t>> by_rank;
  for (const std::vector<double>& row : rows) by_rank.push_back(to_digests(row));
  found_ = find_corruption(parts, by_rank);
  // With stage 3 nobody else may have them.
  if (!found_ && !before.empty()) return compare_own(frozen_, before, resting_, "between two checks");
  if (!found_ || std::ranges::count(found_->ranks, ranks_.rank()) == 0) return {};
  return fail(ErrorCode::Corrupt,
              fmt::format("{} after step {}: the memory, the processor or the network of that host is at "
                          "fault; leave it out",
                          text_of(*found_), step_));
}

}  // namespace zt::train
