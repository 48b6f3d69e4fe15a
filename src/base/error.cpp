// SPDX-License-Identifier: Apache-2.0
#include "base/error.hpp"

#include "base/error_policy.hpp"
#include "base/text/text.hpp"

namespace zt {
namespace {
using enum ErrorCode;
using enum RestartScope;

// One row per code; docs/errors.md is generated from it. Exit codes 64..78 follow sysexits.h where it has a
// name for the case; 75 (EX_TEMPFAIL) is "stopped cleanly, run again to go on".
constexpr ErrorPolicy kPolicies[] = {
    {InvalidArgument, "InvalidArgument", false, Stop, 2,
     "A command line or call is wrong. Correct it and run again."},
    {InvalidConfig, "InvalidConfig", false, Stop, 2,
     "A configuration value is wrong. The message names file, line and key."},
    {NotFound, "NotFound", false, Stop, 66,
     "A file, run or key is not there. Check the path in the message."},
    {AlreadyExists, "AlreadyExists", false, Stop, 73,
     "The target exists already and is not overwritten. Name another, or remove it."},
    {Permission, "Permission", false, Stop, 77,
     "The system refused access. Check owner and mode of the path in the message."},
    {Unavailable, "Unavailable", true, Job, 69,
     "Something is away, or in use by another process, that may be back later. Try again then."},
    {Timeout, "Timeout", true, Worker, 71,
     "A wait passed its deadline. Retried once, then the worker is restarted."},
    {Cancelled, "Cancelled", false, Stop, 75,
     "Stopped on request after saving. Run again with --resume to go on."},
    {Exhausted, "Exhausted", false, Stop, 72,
     "Memory or disk does not suffice. The message says how much is needed and what to change."},
    {Corrupt, "Corrupt", false, Worker, 65,
     "Bytes are not what they must be. Checkpoints fall back to the one before; inputs are named and "
     "skipped."},
    {Numeric, "Numeric", false, Step, 74,
     "A loss or gradient is not finite. The step is skipped; repeated cases stop the run."},
    {PeerLost, "PeerLost", false, Worker, 76,
     "Another rank is gone. The group is formed again, from the newest checkpoint if needed."},
    {Superseded, "Superseded", false, Stop, 79,
     "A newer launch of this run has taken over. This process ends; there is nothing to do."},
    {Unsupported, "Unsupported", false, Stop, 78,
     "The file or option is valid but not handled. The message says what is."},
    {Internal, "Internal", false, Worker, 70, "A bug of Zoetrope's. Please report it with the log."},
};
}  // namespace

std::span<const ErrorPolicy> error_policies() { return kPolicies; }

const ErrorPolicy& policy(ErrorCode code) { return kPolicies[static_cast<size_t>(code)]; }

std::string_view name(ErrorCode code) { return policy(code).name; }

std::string_view name(RestartScope scope) {
  switch (scope) {
    case Step:
      return "step";
    case Worker:
      return "worker";
    case Job:
      return "job";
    case Stop:
      return "stop";
  }
  return "stop";
}

std::string Error::text() const {
  if (contexts.empty()) return text::visible(message);
  std::string out = message + " (";
  for (size_t i = 0; i < contexts.size(); ++i) out += (i ? "; " : "") + contexts[i];
  return text::visible(out + ")");
}

}  // namespace zt
