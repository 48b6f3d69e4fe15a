// SPDX-License-Identifier: Apache-2.0
// Which of several ranks failed first, and why, in the one line that a person on call needs.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/process/process.hpp"
#include "contract/words/progress.hpp"

namespace zt::cli {

struct FirstCause {
  int rank = 0;
  std::string host;
  process::Exit exit;
  std::optional<contract::Progress> progress;  ///< its last words, if it had any
  std::string words;  ///< its last error, which names unit and operation; empty if it had no time
  std::filesystem::path log;
};

/// ", after step 12, training (backward unit.7)".
std::string where(const contract::Progress& progress);

/// "rank 3 on b failed first, after step 12, training (optimizer): WORDS; its log is F; WHAT TO DO".
std::string text(const FirstCause& cause);

}  // namespace zt::cli
