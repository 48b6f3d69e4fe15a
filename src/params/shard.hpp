// SPDX-License-Identifier: Apache-2.0
// How ranks share the state of a segment: equal runs of elements, in order of rank, cut on the borders that
// blocks of 256 lie on, so that neither an 8-bit block nor a leaf of the gradient norm's tree belongs to two
// ranks.
#pragma once

#include <cstdint>

namespace zt::params {

/// One of `count` equal parts; the default is the whole.
struct Shard {
  int64_t index = 0;
  int64_t count = 1;
};

/// The shard of one of several ranks where each `count` neighbours share.
inline Shard shard_of(int64_t rank, int64_t count) { return {rank % count, count}; }

/// Elements [begin, end).
struct Range {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t size() const { return end > begin ? end - begin : 0; }
};

inline Range intersect(Range a, Range b) {
  return {a.begin > b.begin ? a.begin : b.begin, a.end < b.end ? a.end : b.end};
}

/// The shard's part of a segment of `elements`, which ParamStore made a multiple of 256 * shard.count.
inline Range part_of(Shard shard, int64_t elements) {
  const int64_t part = elements / shard.count;
  return {shard.index * part, (shard.index + 1) * part};
}

}  // namespace zt::params
