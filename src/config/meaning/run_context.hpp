// SPDX-License-Identifier: Apache-2.0
// The windows of a generation whose networks' training is known.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/load.hpp"
#include "config/meaning/trained.hpp"

namespace zt::config {

/// A window longer than the clips of training meets frame positions that were never trained: context.frames,
/// if nobody set it, becomes at most data.n_sample_frames, and context.overlap, if nobody set it, what fits
/// below. What somebody set counts. Returns lines for people: what followed the training, and a setting that
/// is past its clips. Networks of stage 1, whose frames are alone, change nothing. Errors: InvalidConfig,
/// naming the key, for windows longer than model.motion.max_len or an overlap that does not fit.
Result<std::vector<std::string>> fit_context(const Trained& trained, Resolved<GenerateJob>& resolved);

}  // namespace zt::config
