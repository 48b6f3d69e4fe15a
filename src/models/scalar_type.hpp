// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <c10/core/ScalarType.h>

#include "config/job/optim_job.hpp"

namespace zt::models {

/// fp32, bf16 or fp16 as libtorch calls it.
inline at::ScalarType scalar_type(config::MixedPrecision precision) {
  switch (precision) {
    case config::MixedPrecision::Fp32:
      return at::kFloat;
    case config::MixedPrecision::Bf16:
      return at::kBFloat16;
    case config::MixedPrecision::Fp16:
      return at::kHalf;
  }
  return at::kFloat;
}

}  // namespace zt::models
