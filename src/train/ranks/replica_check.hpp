// SPDX-License-Identifier: Apache-2.0
// Silent corruption: every few steps the ranks compare digests of what must be the same bits on all of them,
// and each compares what it holds with what it held. A flipped bit in a memory or on a wire is then an error
// that names the rank, instead of a model that gets worse. What each ZeRO stage makes equal:
// docs/detection.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "params/param_store.hpp"
#include "train/ranks/ranks.hpp"

namespace zt::train {

/// Something of which several ranks have the same bits.
struct Replicated {
  std::string what;     ///< "the weights of denoising_unet.mid"
  int64_t sharers = 1;  ///< neighbours who share one copy of the state that it belongs to
  int64_t owner = -1;   ///< place among them whose rank the others received it from; -1: none
  /// Ranks of one place in the copies have the same, those of different places have parts of their own.
  bool is_by_place = false;
};

/// Bits that are not what they should be.
struct Corruption {
  std::string what;
  std::vector<int64_t> ranks;  ///< who has other bits than it should
  /// Only if two ranks or as many on both sides differ where nobody owns the original: one of `ranks`.
  bool is_undecided = false;
};

/// The first difference among the ranks' digests. The majority is right, else the owners if they agree.
/// Requires: rows as long as `parts`, in order of rank. Pure.
std::optional<Corruption> find_corruption(std::span<const Replicated> parts,
                                          std::span<const std::vector<uint64_t>> by_rank);
/// "rank 1 has other bits in the weights of denoising_unet.mid than the others".
std::string text_of(const Corruption& corruption);

/// Threads: one caller at a time. Cost of a check: two passes over the weights that the rank keeps, one over
/// the gradients where others have the same, and an exchange of 16 bytes per unit
/// (bench/results/2026-11-26-detection.md).
class ReplicaCheck {
 public:
  /// `every` steps, counted from `step`; 0 = never. With one rank there is updated() alone. Both must outlive
  /// this.
  ReplicaCheck(const params::ParamStore& store, Ranks& ranks, int64_t every, int64_t step);

  /// Call before the update, after it, and between, when gradients are summed: on every rank, in every step.
  /// Errors: Corrupt on the rank whose weights changed by themselves since the check in the step before.
  Status before_update();
  void gradients_are_summed();
  /// Right after the optimizer's step, with what that found to have changed since the step before; of one
  /// rank too. Errors: Corrupt if something did.
  Status updated(const std::optional<std::string>& changed) const;
  /// Errors: Corrupt on the rank that has other bits than the others (on all, if that is undecided; the
  /// others lose it as a peer), or whose frozen weights are not those of the check before; those of the
  /// exchange.
  Status after_update();
  /// What the last after_update() found, the same on all ranks.
  const std::optional<Corruption>& found() const { return found_; }
  /// The weights were replaced by those after `step`.
  void went_to(int64_t step);

 private:
  bool is_due() const { return every_ > 0 && ranks_.size() > 1 && step_ % every_ == 0; }
  /// Of a segment, as all ranks have it or parts of it.
  template <class Take>
  static void for_each_part(const params::Segment& segment, const Take& take);
  std::vector<uint64_t> digest_weights() const;
  Status changed_by_itself(std::string_view what, std::string_view since) const;
  /// Of two results of digest_weights(): Corrupt for the first of `parts` that differs.
  Status compare_own(const std::vector<size_t>& parts, const std::vector<uint64_t>& before,
                     const std::vector<uint64_t>& now, std::string_view since) const;
  const params::ParamStore& store_;
  Ranks& ranks_;
  const int64_t every_;
  int64_t step_;
  std::vector<Replicated> gradient_parts_, weight_parts_;
  std::vector<size_t> all_, frozen_;  ///< places among weight_parts_: of all, of what never changes
  /// Of gradients of which other ranks have the same sums, by how many ranks share their units.
  std::map<int64_t, uint64_t> gradients_;
  std::optional<Corruption> found_;
  std::vector<uint64_t> resting_;     ///< what the weights were at the last check; empty: they changed since
  std::vector<uint64_t> last_check_;  ///< likewise, for those that are frozen; empty: none yet
};

}  // namespace zt::train
