// SPDX-License-Identifier: Apache-2.0
#include "config/foreign/batch_triangle.hpp"

#include <fmt/format.h>

namespace zt::config::foreign {
namespace {

bool is_out_of_range(const std::optional<int64_t>& value) { return value && !is_batch_number(*value); }

/// Names the numbers that are given, and none that would have been worked out.
std::string not_a_product(const BatchKeys& keys, int64_t ranks) {
  std::string text = fmt::format(
      "train_batch_size must be train_micro_batch_size_per_gpu x gradient_accumulation_steps x "
      "ranks: {} is not ",
      *keys.total);
  if (keys.micro && keys.accumulation)
    return text + fmt::format("{} x {} x {}", *keys.micro, *keys.accumulation, ranks);
  if (keys.micro) return text + fmt::format("a multiple of {} x {} ranks", *keys.micro, ranks);
  if (keys.accumulation) return text + fmt::format("a multiple of {} x {} ranks", *keys.accumulation, ranks);
  return text + fmt::format("a multiple of {} ranks", ranks);
}

}  // namespace

Result<Batching> complete_batch(const BatchKeys& keys, int64_t ranks) {
  if (!keys.total && !keys.micro)
    return fail(
        ErrorCode::InvalidConfig,
        "train_batch_size or train_micro_batch_size_per_gpu must be given (\"auto\" takes the job's)");
  if (is_out_of_range(keys.total) || is_out_of_range(keys.micro) || is_out_of_range(keys.accumulation))
    return fail(ErrorCode::InvalidConfig,
                fmt::format("batch sizes and accumulation must be from 1 to {}", kMostSamples));
  Batching batch{keys.micro.value_or(0), keys.accumulation.value_or(1)};
  if (keys.total) {
    if (!keys.micro)
      batch.micro = *keys.total / batch.accumulation / ranks;
    else if (!keys.accumulation)
      batch.accumulation = *keys.total / *keys.micro / ranks;
    // Divided, not multiplied: the product of three may not fit.
    const bool is_exact = batch.micro > 0 && batch.accumulation > 0 && *keys.total % ranks == 0 &&
                          *keys.total / ranks == batch.micro * batch.accumulation;
    if (!is_exact) return fail(ErrorCode::InvalidConfig, not_a_product(keys, ranks));
  }
  return batch;
}

}  // namespace zt::config::foreign
