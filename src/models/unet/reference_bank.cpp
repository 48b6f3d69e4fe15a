// SPDX-License-Identifier: Apache-2.0
// See reference_bank.hpp.
#include "models/unet/reference_bank.hpp"

#include <ATen/ATen.h>

namespace zt::models {

ReferenceBank ReferenceBank::rounded_to_half() const {
  ReferenceBank out;
  for (const at::Tensor& norm1 : norm1_RSC)
    out.norm1_RSC.push_back(norm1.to(at::kHalf).to(norm1.scalar_type()));
  return out;
}

}  // namespace zt::models
