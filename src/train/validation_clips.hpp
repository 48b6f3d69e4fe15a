// SPDX-License-Identifier: Apache-2.0
// What the model can do now, for eyes: clips of the validation split generated from their first frame and
// their poses, beside the truth. Stage 1 makes single pictures.
#pragma once

#include <filesystem>

#include "base/error.hpp"
#include "train/journal/journal.hpp"
#include "train/launch/setup.hpp"
#include "train/pass/forward.hpp"

namespace zt::train {

/// Writes samples/step-NNNNNNNN.png (a row per clip: reference, pose, result, truth) and, in stage 2, an mp4
/// of the same panels per clip, and announces them; the networks compute as in training. A clip that can't be
/// read or written is logged and left out: training goes on.
Status write_validation_clips(const StepNetworks& nets, const ForwardRules& rules, Setup& setup,
                              const std::filesystem::path& folder, Journal& journal);

}  // namespace zt::train
