// SPDX-License-Identifier: Apache-2.0
#include "config/weight_dtype.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace zt::config {

void fit_weight_dtype(Resolved<GenerateJob>& resolved) {
  GenerateJob& job = resolved.job;
  if (job.dtype != DtypeChoice::Fp16 || job.device != "cpu") return;
  std::string& origin = resolved.origins["dtype"];
  const auto asked = std::ranges::find_if(resolved.effects, [&](const Effect& effect) {
    return effect.key == "weight_dtype" && effect.origin == origin;
  });
  if (asked == resolved.effects.end()) return;
  job.dtype = DtypeChoice::Fp32;
  origin += ", fp32 on the CPU";
  asked->effect = fmt::format("dtype = fp32: the CPU can't generate in {}; with --device cuda it stays {}",
                              asked->value, asked->value);
}

}  // namespace zt::config
