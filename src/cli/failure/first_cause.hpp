// SPDX-License-Identifier: Apache-2.0
// Which worker failed, of several ranks the first one, and why, in the one line that a person on call needs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/process/process.hpp"
#include "contract/words/progress.hpp"

namespace zt::cli {

struct FirstCause {
  int rank = 0;
  std::string host = {};
  process::Exit exit = {};
  std::optional<contract::Progress> progress = {};  ///< its last words, if it had any
  std::string message = {};  ///< its last error, which names unit and operation; empty if it had no time
  std::filesystem::path log = {};
  bool is_alone = false;  ///< the only worker: of a job, or of a training with one rank
};

/// "it ended with exit code 3", "it ended by signal 9 (Killed)".
std::string how_it_ended(const process::Exit& exit);

/// "rank 3 on b failed first, after step 12, training (optimizer): MESSAGE; its log is F; WHAT TO DO". One
/// that is alone: "the worker failed, after ...: MESSAGE; its log is F".
std::string text(const FirstCause& cause);

}  // namespace zt::cli
