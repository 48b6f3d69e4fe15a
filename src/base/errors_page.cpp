// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/error_policy.hpp"

namespace zt {

std::string errors_page() {
  std::string out =
      R"(<!-- Generated from the table in src/base/error_policy.cpp; a test fails when this page is stale. -->
# Errors and exit codes

Every expected failure has one of these codes. Exit code 0 is success, 1 a failure without a code of its own, 130 a
run that was stopped at once (second Ctrl-C).
*Restart* says whether the launcher starts a rank of a training again that ended so, as often as `--max-restarts` allows;
"no" means that a person must act first.

| code | exit | restart | what to do |
|---|---|---|---|
)";
  for (const ErrorPolicy& row : error_policies())
    out += fmt::format("| {} | {} | {} | {} |\n", row.name, row.exit_code, row.restarts_worker ? "yes" : "no",
                       row.operator_text);
  out += fmt::format(
      "\nExit code {} also ends a run that was asked to stop (Ctrl-C once, or SIGTERM): it has saved, and\n"
      "`zoetrope train --resume RUN` goes on. A worker or rank that a signal ended gives 128 + the signal's "
      "number, as a\n"
      "shell does: 137 was killed (SIGKILL, by a person or because memory ran out), 139 crashed (SIGSEGV); "
      "no restarts were\n"
      "left by then. 127: a program it needed could not be started.\n"
      "\nCtrl-C ends `data ingest`, `data pose`, `data synth` and `eval --results` at once, as if by 130: "
      "what they "
      "had\nfinished is whole, and the same command goes on with the rest.\n",
      kExitResumable);
  return out;
}

}  // namespace zt
