// SPDX-License-Identifier: Apache-2.0
// The sum of several tensors in the order of the lanes' tree: neighbours first, then pairs of pairs, an odd
// one at the end joining as it is. What train/pass/lanes.cpp does over the lanes of a rank, this does over
// ranks.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

namespace zt::dist {

/// out = the tree's sum of `parts`. Each addition rounds to the tensors' type. `out` may be one of the parts.
/// Shapes: all equal, contiguous. Requires: at least one part; one type.
/// Cost: each part is read once; scratch per level of the tree: one block (256 KiB), on a GPU one part.
void tree_sum(const at::Tensor& out, std::span<const at::Tensor> parts);

/// What rank `rank` sums in a reduce-scatter, in order of rank: its own part of `input`, and the others',
/// which lie in `received` in that order.
/// Shapes: `size` parts, and one less.
std::vector<at::Tensor> parts_by_rank(const at::Tensor& input, const at::Tensor& received, int rank,
                                      int size);

}  // namespace zt::dist
