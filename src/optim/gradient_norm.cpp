// SPDX-License-Identifier: Apache-2.0
// See gradient_norm.hpp.
#include "optim/gradient_norm.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

#include "optim/internal/adamw_kernels.hpp"
#include "optim/internal/bf16_kernels.hpp"
#include "params/left_half.hpp"
#include "params/param_store.hpp"
#include "tensor/parallel.hpp"
#include "tensor/require.hpp"

namespace zt::optim {
namespace {

using internal::kBlock;
using params::Range;
constexpr int64_t kGrainBlocks = 64;

/// Sums of squares of a run of a segment's blocks.
struct BlockSums {
  int64_t first_block = 0;
  std::vector<double> values;
};

/// The blocks of a segment that a rank has.
Range held_blocks(const params::Segment& segment, int64_t rank) {
  const params::Shard shard = params::shard_of(rank, segment.shard.count);
  const Range held = params::part_of(shard, segment.gradients_P.numel());
  return {held.begin / kBlock, held.end / kBlock};
}

/// Of the store's part.
BlockSums block_sums(const params::Segment& segment) {
  const at::Tensor& part = segment.gradients_S;
  const bool is_bf16 = part.scalar_type() == at::kBFloat16;
  ZT_REQUIRE(is_bf16 || part.scalar_type() == at::kFloat, "norms are of fp32 or bf16 gradients, got ", part);
  const int64_t num_blocks = part.numel() / kBlock;
  BlockSums sums{segment.part.begin / kBlock, std::vector<double>(static_cast<size_t>(num_blocks))};
  const void* gradient = part.const_data_ptr();
  tensor::parallel_for(0, num_blocks, kGrainBlocks, [&](int64_t begin, int64_t end) {
    float copy[kBlock];
    for (int64_t block = begin; block < end; ++block) {
      const float* numbers = copy;
      if (is_bf16)
        internal::widen(kBlock, static_cast<const uint16_t*>(gradient) + block * kBlock, copy);
      else
        numbers = static_cast<const float*>(gradient) + block * kBlock;
      sums.values[static_cast<size_t>(block)] = internal::square_sum(numbers);
    }
  });
  return sums;
}

/// A parameter's blocks in its segment.
Range blocks_of(const params::StoredParam& param) {
  const int64_t first = param.offset / kBlock;
  return {first, first + (param.info.numel() + kBlock - 1) / kBlock};
}

void add_nodes_inside(Range node, Range held, std::vector<Range>& out) {
  if (params::intersect(node, held).size() == 0) return;
  if (node.begin >= held.begin && node.end <= held.end) return out.push_back(node);
  const int64_t middle = node.begin + params::left_half(node.size());
  add_nodes_inside({node.begin, middle}, held, out);
  add_nodes_inside({middle, node.end}, held, out);
}

/// The largest nodes of the tree over `count` values that lie inside `held`, left to right; value 0 is number
/// `offset` of what `held` counts.
std::vector<Range> nodes_inside(int64_t count, Range held, int64_t offset) {
  std::vector<Range> out;
  add_nodes_inside({0, count}, {held.begin - offset, held.end - offset}, out);
  return out;
}

using KnownNodes = std::map<std::pair<int64_t, int64_t>, double>;

/// The sum at a node of the tree, from nodes below it that cover it.
double sum_of(Range node, const KnownNodes& known) {
  if (const auto found = known.find({node.begin, node.end}); found != known.end()) return found->second;
  const int64_t middle = node.begin + params::left_half(node.size());
  return sum_of({node.begin, middle}, known) + sum_of({middle, node.end}, known);
}

/// Calls body(parameter, its segment) for what the last backward reached, in order of declaration.
template <class Body>
void for_each_param(const params::ParamStore& store, const Body& body) {
  for (const params::StoredParam& param : store.params()) {
    const params::Segment& segment = store.segments()[param.segment];
    if (segment.touched) body(param, segment);
  }
}

/// Calls body(segment, node in blocks of the segment) for what the store's part holds of the parameters, in
/// the order of partial_square_sums().
template <class Body>
void for_each_node(const params::ParamStore& store, const Body& body) {
  for_each_param(store, [&](const params::StoredParam& param, const params::Segment& segment) {
    const Range blocks = blocks_of(param);
    for (const Range& node :
         nodes_inside(blocks.size(), held_blocks(segment, segment.shard.index), blocks.begin))
      body(param.segment, {blocks.begin + node.begin, blocks.begin + node.end});
  });
}

/// On a GPU: one pass over all gradients, one number per node back. libtorch's order of additions.
std::vector<double> square_sums_on_device(const params::ParamStore& store) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> nodes;
  for_each_node(store, [&](size_t s, Range blocks) {
    const params::Segment& segment = store.segments()[s];
    nodes.push_back(
        segment.gradients_S.narrow(0, blocks.begin * kBlock - segment.part.begin, blocks.size() * kBlock));
  });
  if (nodes.empty()) return {};
  const at::Tensor sums = at::stack(at::_foreach_norm(nodes, 2, at::kDouble)).square().cpu();
  const double* first = sums.const_data_ptr<double>();
  return {first, first + sums.numel()};
}

}  // namespace

double tree_sum(std::span<const double> values) {
  if (values.empty()) return 0;
  if (values.size() == 1) return values[0];
  const auto left = static_cast<size_t>(params::left_half(std::ssize(values)));
  return tree_sum(values.first(left)) + tree_sum(values.subspan(left));
}

std::string module_of(const std::string& parameter) {
  const size_t network = parameter.find('.');
  if (network == std::string::npos) return parameter;
  const size_t block = parameter.find('.', network + 1);
  if (block == std::string::npos) return parameter.substr(0, network);
  const size_t index = parameter.find('.', block + 1);
  const bool is_numbered =
      index != std::string::npos && std::isdigit(static_cast<unsigned char>(parameter[block + 1]));
  return parameter.substr(0, is_numbered ? index : block);
}

std::vector<double> partial_square_sums(const params::ParamStore& store) {
  const auto segments = store.segments();
  if (!segments.empty() && !segments.front().kept_values().device().is_cpu())
    return square_sums_on_device(store);
  std::vector<double> out;
  std::vector<BlockSums> sums_by_segment;
  for (const params::Segment& segment : segments)
    sums_by_segment.push_back(segment.touched ? block_sums(segment) : BlockSums{});
  for_each_node(store, [&](size_t s, Range blocks) {
    const BlockSums& sums = sums_by_segment[s];
    out.push_back(tree_sum(std::span(sums.values)
                               .subspan(static_cast<size_t>(blocks.begin - sums.first_block),
                                        static_cast<size_t>(blocks.size()))));
  });
  return out;
}

size_t num_partial_sums(const params::ParamStore& store, int64_t rank) {
  size_t count = 0;
  for_each_param(store, [&](const params::StoredParam& param, const params::Segment& segment) {
    const Range blocks = blocks_of(param);
    count += nodes_inside(blocks.size(), held_blocks(segment, rank), blocks.begin).size();
  });
  return count;
}

GradientNorms gradient_norms(const params::ParamStore& store, std::span<const std::vector<double>> by_rank,
                             double scale) {
  std::vector<size_t> next(by_rank.size());
  GradientNorms norms;
  std::vector<double> all;
  std::map<std::string, std::vector<double>> by_module;
  for_each_param(store, [&](const params::StoredParam& param, const params::Segment& segment) {
    const Range blocks = blocks_of(param);
    KnownNodes known;
    for (size_t rank = 0; rank < by_rank.size(); ++rank) {
      const Range held = held_blocks(segment, static_cast<int64_t>(rank));
      for (const Range& node : nodes_inside(blocks.size(), held, blocks.begin))
        known[{node.begin, node.end}] = by_rank[rank].at(next[rank]++);
    }
    const double sum = sum_of({0, blocks.size()}, known);
    if (!std::isfinite(sum) && norms.first_nonfinite.empty()) norms.first_nonfinite = param.info.name;
    all.push_back(sum);
    by_module[module_of(param.info.name)].push_back(sum);
  });
  norms.total = std::sqrt(tree_sum(all)) * scale;
  for (const auto& [module, sums] : by_module) norms.by_module[module] = std::sqrt(tree_sum(sums)) * scale;
  return norms;
}

GradientNorms gradient_norms(const params::ParamStore& store, double scale) {
  const std::vector<double> whole = partial_square_sums(store);
  return gradient_norms(store, std::span(&whole, 1), scale);
}

int64_t count_nonfinite(const params::ParamStore& store, int64_t rank) {
  const at::NoGradGuard no_grad;
  int64_t count = 0;
  for (const params::Segment& segment : store.segments())
    if (segment.touched && rank < segment.shard.count)
      count += at::isfinite(segment.gradients_S).logical_not_().sum().item<int64_t>();
  return count;
}

double clip_coefficient(double norm, double max_norm) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
}

}  // namespace zt::optim
