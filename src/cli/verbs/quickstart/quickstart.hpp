// SPDX-License-Identifier: Apache-2.0
// The whole main job in one folder: puppets as mp4 files, their index, two training runs, evaluation on
// characters and motions nobody has trained on, a video of one character in another's motion, and a page
// about all of it. Every part is what the verb of that name does; a part that is complete is not done again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "config/job/train_job.hpp"
#include "contract/run_folder.hpp"

namespace zt::cli {

struct QuickstartOptions {
  std::filesystem::path folder = "quickstart";
  /// Folder with synth.yaml, stage1.yaml and so on, and codec/; empty: the installed ones.
  std::filesystem::path recipes;
};

/// The exit code of the first part that did not succeed, else 0. Errors: InvalidArgument without a folder's
/// name, NotFound if a recipe is missing, those of check_job_folder(), all before the folder is made;
/// Unavailable if another quickstart works in it; those of the parts.
Result<int> quickstart(const QuickstartOptions& options);

/// Seconds that stage 1 may train: the recipe's `cap_s` (0 = none), or less on a machine whose `data_s`, the
/// seconds before stage 1, show that the parts which have no cap take longer than the recipe leaves for them;
/// at least half of it. Pure.
double stage1_cap(double cap_s, double data_s);

/// What is said of a run that completed at `step`: also, where its own cap ended it before its last step,
/// that a recipe's other `cap_s` does not make it go on. Stage 2 and the videos are of its weights.
std::string complete_text(const contract::RunFolder& run, const config::TrainJob& own, int64_t step,
                          double cap_s);

/// $ZT_CONFIGS, else configs/ of the installed or of the source tree that the running program belongs to.
Result<std::filesystem::path> find_recipes();

}  // namespace zt::cli
