// SPDX-License-Identifier: Apache-2.0
#include "dist/tree_sum.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "params/left_half.hpp"
#include "tensor/require.hpp"

namespace zt::dist {
namespace {

/// Elements summed at once on the CPU, so that what lies between the levels of the tree stays in the cache. A
/// GPU sums all in a kernel per node.
constexpr int64_t kBlock = 64 * 1024;

/// One block of the parts.
class BlockSum {
 public:
  BlockSum(const at::Tensor& like, int64_t elements) : like_(like), elements_(elements) {}

  /// out = the sum of parts [begin, end). Writes `out` last, so that it may be one of them.
  void operator()(const at::Tensor& out, std::span<const at::Tensor> parts) {
    const auto middle = static_cast<size_t>(params::left_lanes(std::ssize(parts)));
    const at::Tensor left = subtree(parts.first(middle));
    const at::Tensor right = subtree(parts.subspan(middle));
    at::add_out(const_cast<at::Tensor&>(out), left, right);
    num_used_ = 0;
  }

 private:
  at::Tensor subtree(std::span<const at::Tensor> parts) {
    if (parts.size() == 1) return parts.front();
    const auto middle = static_cast<size_t>(params::left_lanes(std::ssize(parts)));
    const at::Tensor left = subtree(parts.first(middle));
    const at::Tensor right = subtree(parts.subspan(middle));
    at::Tensor sum = scratch(parts.front().numel());
    at::add_out(sum, left, right);
    return sum;
  }
  at::Tensor scratch(int64_t numel) {
    if (num_used_ == scratch_.size()) scratch_.push_back(at::empty({elements_}, like_.options()));
    return scratch_[num_used_++].narrow(0, 0, numel);
  }
  const at::Tensor& like_;
  const int64_t elements_;
  std::vector<at::Tensor> scratch_;
  size_t num_used_ = 0;
};

}  // namespace

void tree_sum(const at::Tensor& out, std::span<const at::Tensor> parts) {
  const at::NoGradGuard no_grad;
  ZT_REQUIRE(!parts.empty(), "a sum needs at least one part");
  if (parts.size() == 1) {
    if (!out.is_alias_of(parts.front()) || out.data_ptr() != parts.front().data_ptr())
      out.copy_(parts.front());
    return;
  }
  const int64_t at_once = out.device().is_cpu() ? std::min(kBlock, out.numel()) : out.numel();
  BlockSum sum_block(out, at_once);
  std::vector<at::Tensor> block(parts.size());
  for (int64_t begin = 0; begin < out.numel(); begin += at_once) {
    const int64_t numel = std::min(at_once, out.numel() - begin);
    for (size_t i = 0; i < parts.size(); ++i) block[i] = parts[i].narrow(0, begin, numel);
    sum_block(out.narrow(0, begin, numel), block);
  }
}

std::vector<at::Tensor> parts_by_rank(const at::Tensor& input, const at::Tensor& received, int rank,
                                      int size) {
  const int64_t part = input.numel() / size;
  std::vector<at::Tensor> parts;
  for (int of = 0; of < size; ++of) {
    const int place = of < rank ? of : of - 1;  // among the received
    parts.push_back(of == rank ? input.narrow(0, of * part, part) : received.narrow(0, place * part, part));
  }
  return parts;
}

}  // namespace zt::dist
