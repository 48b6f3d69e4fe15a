// SPDX-License-Identifier: Apache-2.0
// What ReferenceNet hands to the denoising UNet: the output of norm1 of every transformer block, in forward
// order. It is an explicit value, so that recomputation and sharding see it as an input and an output of
// units. Shapes: R reference rows, S = H*W positions of a level, C its width.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace zt::models {

struct ReferenceBank {
  std::vector<at::Tensor> norm1_RSC;
  /// Rounded to fp16 and back, as the reference does even in fp32 runs (compat: moore).
  ReferenceBank rounded_to_half() const;
};

/// A bank's keys and values per block of one denoising UNet, projected once for all steps, windows and
/// frames.
struct ProjectedBank {
  std::vector<at::Tensor> key_RSC, value_RSC;
};

}  // namespace zt::models
