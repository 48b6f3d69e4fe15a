// SPDX-License-Identifier: Apache-2.0
// `weight_dtype` of Moore's animation.yaml is what its authors' GPU computes with, and the file is to run as
// it stands on a CPU too, where networks can't generate in fp16.
#pragma once

#include "config/load.hpp"

namespace zt::config {

/// On the CPU, fp16 that weight_dtype asked for becomes fp32, and the line of that key among the effects says
/// so. A dtype asked for in our own words (our file, --set) stays.
void fit_weight_dtype(Resolved<GenerateJob>& resolved);

}  // namespace zt::config
