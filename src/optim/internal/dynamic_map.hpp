// SPDX-License-Identifier: Apache-2.0
// 8-bit codes as bitsandbytes 0.50 makes them on the CPU: [-1, 1] is cut into 65,536 cells, and a cell has
// the code of the map's value nearest to the cell's middle. So a magnitude below 1.5e-5 of its block's
// largest is not told from zero, and zero itself gets the code nearest to +1.5e-5.
#pragma once

#include <array>
#include <cstdint>

namespace zt::optim::internal {

struct DynamicMap {
  std::array<float, 256> values;     ///< ascending
  std::array<uint8_t, 65536> codes;  ///< by cell_of() (step_arithmetic.hpp)
  explicit DynamicMap(bool is_signed);
};

/// For first moments.
const DynamicMap& signed_map();
/// For second moments.
const DynamicMap& unsigned_map();

}  // namespace zt::optim::internal
