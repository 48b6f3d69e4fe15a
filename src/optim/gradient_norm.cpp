// SPDX-License-Identifier: Apache-2.0
// See gradient_norm.hpp.
#include "optim/gradient_norm.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <vector>

#include "optim/internal/adamw_kernels.hpp"
#include "params/param_store.hpp"
#include "tensor/require.hpp"

namespace zt::optim {
namespace {

using internal::kBlock;
constexpr int64_t kGrainBlocks = 64;

/// Sums of squares of every block of a flat gradient.
std::vector<double> block_sums(const at::Tensor& gradients_P) {
  ZT_REQUIRE(gradients_P.scalar_type() == at::kFloat, "norms are of fp32 gradients, got ", gradients_P);
  std::vector<double> sums(static_cast<size_t>(gradients_P.numel() / kBlock));
  if (!gradients_P.device().is_cpu()) {
    const at::Tensor on_cpu = gradients_P.view({-1, kBlock}).to(at::kDouble).square().sum(1).cpu();
    std::copy_n(on_cpu.const_data_ptr<double>(), sums.size(), sums.begin());
    return sums;
  }
  const float* gradient = gradients_P.const_data_ptr<float>();
  at::parallel_for(0, static_cast<int64_t>(sums.size()), kGrainBlocks, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block)
      sums[static_cast<size_t>(block)] = internal::square_sum(gradient + block * kBlock);
  });
  return sums;
}

}  // namespace

double tree_sum(std::span<const double> values) {
  if (values.empty()) return 0;
  if (values.size() == 1) return values[0];
  const size_t left = std::bit_ceil(values.size()) / 2;
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

GradientNorms gradient_norms(const params::ParamStore& store, double scale) {
  std::vector<std::vector<double>> sums_by_segment;
  for (const params::Segment& segment : store.segments())
    sums_by_segment.push_back(segment.touched ? block_sums(segment.gradients_P) : std::vector<double>{});

  GradientNorms norms;
  std::vector<double> all;
  std::map<std::string, std::vector<double>> by_module;
  for (const params::StoredParam& param : store.params()) {
    const std::vector<double>& sums = sums_by_segment[param.segment];
    if (sums.empty()) continue;
    const auto first = static_cast<size_t>(param.offset / kBlock);
    const auto count = static_cast<size_t>((param.info.numel() + kBlock - 1) / kBlock);
    const double sum = tree_sum(std::span(sums).subspan(first, count));
    if (!std::isfinite(sum) && norms.first_nonfinite.empty()) norms.first_nonfinite = param.info.name;
    all.push_back(sum);
    by_module[module_of(param.info.name)].push_back(sum);
  }
  norms.total = std::sqrt(tree_sum(all)) * scale;
  for (const auto& [module, sums] : by_module) norms.by_module[module] = std::sqrt(tree_sum(sums)) * scale;
  return norms;
}

double clip_coefficient(double norm, double max_norm) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
}

}  // namespace zt::optim
