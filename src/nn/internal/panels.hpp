// SPDX-License-Identifier: Apache-2.0
// Weights in the order in which the CPU kernels' products read them, in one of the two arithmetics.
#pragma once

#include <cstddef>
#include <type_traits>
#include <vector>

#include "nn/internal/bf16.hpp"

namespace zt::nn::internal {

/// What products multiply: floats, or pairs of bf16 with sums in fp32 (has_bf16_pairs() in
/// instruction_sets.hpp).
enum class Operands { kFp32, kBf16Pairs };

/// Panels of weights as pack_panels of tiles.hpp writes them; of the two vectors one is empty.
struct Panels {
  std::vector<float> fp32;
  std::vector<Bf16> bf16;

  bool are_pairs() const { return !bf16.empty(); }
  template <class Operand>
  const Operand* data() const {
    if constexpr (std::is_same_v<Operand, Bf16>)
      return bf16.data();
    else
      return fp32.data();
  }
};

/// Panels of `count` numbers; fill(data) writes them.
template <class Fill>
Panels make_panels(Operands operands, size_t count, const Fill& fill) {
  Panels panels;
  if (operands == Operands::kBf16Pairs) {
    panels.bf16.resize(count);
    fill(panels.bf16.data());
  } else {
    panels.fp32.resize(count);
    fill(panels.fp32.data());
  }
  return panels;
}

}  // namespace zt::nn::internal
