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
  if (!cause.message.empty()) return cause.message;
  const char* likely =
      cause.exit.signal == SIGKILL ? ", most often sent by the kernel for lack of memory" : "";
  return how_it_ended(cause.exit) + likely;
}

/// A signal and an exit code of nobody's are a crash.
std::string_view what_to_do(const process::Exit& exit) {
  const auto error = exit.signal == 0 ? contract::error_of_exit(exit.code) : std::nullopt;
  return error ? policy(*error).operator_text : "`zoetrope train --resume` goes on from the last checkpoint.";
}

/// ", after step 12, training (backward unit.7)".
std::string where(const contract::Progress& progress) {
  const std::string detail =
      progress.activity == contract::Activity::None ? progress.action : contract::doing(progress);
  return fmt::format(", after step {}, {}{}", progress.step, name(progress.phase),
                     detail.empty() ? "" : fmt::format(" ({})", detail));
}

}  // namespace

std::string how_it_ended(const process::Exit& exit) {
  return fmt::format("it ended {} {}", exit.signal != 0 ? "by" : "with", exit.text());
}

std::string text(const FirstCause& cause) {
  const std::string place = cause.progress ? where(*cause.progress) : "";
  if (cause.is_alone)
    return fmt::format("the worker failed{}: {}; its log is {}", place, what(cause), cause.log.string());
  return fmt::format("rank {} on {} failed first{}: {}; its log is {}; {}", cause.rank, cause.host, place,
                     what(cause), cause.log.string(), what_to_do(cause.exit));
}

}  // namespace zt::cli
