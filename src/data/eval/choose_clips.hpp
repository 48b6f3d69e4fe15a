// SPDX-License-Identifier: Apache-2.0
// Which clips of an index an evaluation judges.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "data/clip_index.hpp"
#include "data/eval/report.hpp"

namespace zt::data {

struct ChosenClips {
  ClipIndex index;
  std::vector<EvalLeftOut> left_out;  ///< that came before the last one chosen and can't be judged
};

/// The first `num_clips` of the splits ([] = all) that have a frame beside the reference. Errors: those of
/// select_splits(); InvalidArgument if none has.
Result<ChosenClips> choose_clips(const ClipIndex& index, const std::vector<std::string>& splits,
                                 size_t num_clips);

}  // namespace zt::data
