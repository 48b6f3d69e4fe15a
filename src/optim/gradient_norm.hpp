// SPDX-License-Identifier: Apache-2.0
// L2 norms of gradients, the same bits for any number of threads and any cut of the parameters into units and
// segments: squares are summed in fp64 over blocks of 256 elements (eight interleaved sums), blocks of a
// parameter by a binary tree over the block index, parameters by a binary tree over their order of
// declaration. On a GPU the device adds up each block in an order of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace zt::params {
class ParamStore;
}

namespace zt::optim {

struct GradientNorms {
  double total = 0;                         ///< not finite if any gradient is
  std::map<std::string, double> by_module;  ///< see module_of()
  /// The first parameter, in order of declaration, with a gradient that is not finite; empty if all are.
  std::string first_nonfinite;
  bool is_finite() const { return first_nonfinite.empty(); }
};

/// Norms over the gradients of touched segments of a store that has them whole, times `scale` (1 / loss
/// scale).
GradientNorms gradient_norms(const params::ParamStore& store, double scale = 1);

/// The same where ranks have shards of the summed gradients: what one rank knows of the trees, a few numbers
/// per parameter, and the norms from what the first ParamStore::most_shards() ranks know, in order of rank.
/// Every rank must have the same segments touched.
std::vector<double> partial_square_sums(const params::ParamStore& store);
/// How many numbers partial_square_sums() gives on that rank.
size_t num_partial_sums(const params::ParamStore& store, int64_t rank);
GradientNorms gradient_norms(const params::ParamStore& store, std::span<const std::vector<double>> by_rank,
                             double scale);

/// Elements of touched segments' gradients that are not finite. Where ranks have shards, of those that this
/// one has and no rank below it: their sum over all ranks counts each once.
int64_t count_nonfinite(const params::ParamStore& store, int64_t rank = 0);

/// What clip_grad_norm_ multiplies gradients by: min(1, max_norm / (norm + 1e-6)); 1 if max_norm <= 0 (no
/// clipping).
double clip_coefficient(double norm, double max_norm);

/// The module a parameter is counted under: network and block, e.g. "denoising_unet.down_blocks.0".
std::string module_of(const std::string& parameter);

/// Sum by a binary tree over the index: halves rounded up to a power of two, left to right. The bits depend
/// on the values and their order only.
double tree_sum(std::span<const double> values);

}  // namespace zt::optim
