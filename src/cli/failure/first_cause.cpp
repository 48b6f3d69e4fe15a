// SPDX-License-Identifier: Apache-2.0
// See first_cause.hpp.
#include "cli/failure/first_cause.hpp"

#include <fmt/format.h>

#include <csignal>

#include "base/error_policy.hpp"
#include "contract/exit_codes.hpp"

namespace zt::cli {
namespace {

std::string what(const FirstCause& cause) {
  if (!cause.words.empty()) return cause.words;
  const char* likely =
      cause.exit.signal == SIGKILL ? ", most often sent by the kernel for lack of memory" : "";
  return fmt::format("it ended {} {}{}", cause.exit.signal != 0 ? "by" : "with", cause.exit.text(), likely);
}

/// A signal and an exit code of nobody's are a crash.
std::string_view what_to_do(const process::Exit& exit) {
  const auto error = exit.signal == 0 ? contract::error_of_exit(exit.code) : std::nullopt;
  return error ? policy(*error).operator_text : "`zoetrope train --resume` goes on from the last checkpoint.";
}

}  // namespace

std::string where(const contract::Progress& progress) {
  const std::string detail =
      progress.activity == contract::Activity::None ? progress.action : contract::doing(progress);
  return fmt::format(", after step {}, {}{}", progress.step, name(progress.phase),
                     detail.empty() ? "" : fmt::format(" ({})", detail));
}

std::string text(const FirstCause& cause) {
  return fmt::format("rank {} on {} failed first{}: {}; its log is {}; {}", cause.rank, cause.host,
                     cause.progress ? where(*cause.progress) : "", what(cause), cause.log.string(),
                     what_to_do(cause.exit));
}

}  // namespace zt::cli
