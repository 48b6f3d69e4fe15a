// SPDX-License-Identifier: Apache-2.0
#include "base/error_policy.hpp"

namespace zt {
namespace {
using enum ErrorCode;

// One row per code. Exit codes 64..78 follow sysexits.h where it has a name for the case; 75 (EX_TEMPFAIL) is
// "stopped cleanly, run again to go on".
constexpr ErrorPolicy kPolicies[] = {
    {InvalidArgument, "InvalidArgument", false, 2,
     "A command line or call is wrong. Correct it and run again."},
    {InvalidConfig, "InvalidConfig", false, 2,
     "A configuration value is wrong. The message names file, line and key."},
    {NotFound, "NotFound", false, 66, "A file, run or key does not exist. Check the path in the message."},
    {AlreadyExists, "AlreadyExists", false, 73,
     "The target exists already and is not overwritten. Name another, or remove it."},
    {Permission, "Permission", false, 77,
     "The system refused access. Check owner and mode of the path in the message."},
    {Unavailable, "Unavailable", false, 69,
     "A resource cannot be reached or is in use by another process. Look at what the message names, then try "
     "again."},
    {Timeout, "Timeout", true, 71, "A wait passed its deadline. The worker is restarted."},
    {Cancelled, "Cancelled", false, 75, "Stopped on request after saving. Run again with --resume to go on."},
    {Exhausted, "Exhausted", false, 72,
     "Not enough memory or disk space. The message says how much is needed and what to change."},
    {Corrupt, "Corrupt", true, 65,
     "Data is damaged or not in the expected format. Checkpoints fall back to the one before; inputs are "
     "named and skipped."},
    {Numeric, "Numeric", false, 74,
     "A loss or gradient is not finite. The step is skipped; repeated cases stop the run."},
    {PeerLost, "PeerLost", true, 76,
     "Another rank ended. The ranks regroup, from the newest checkpoint if needed."},
    {Superseded, "Superseded", false, 79,
     "A newer launch of this run has taken over. This process ends; there is nothing to do."},
    {Unsupported, "Unsupported", false, 78,
     "The file or option is valid but not handled. The message lists what is supported."},
    {Internal, "Internal", true, 70, "This is a bug in Zoetrope. Please report it with the log."},
};
}  // namespace

std::span<const ErrorPolicy> error_policies() { return kPolicies; }

const ErrorPolicy& policy(ErrorCode code) { return kPolicies[static_cast<size_t>(code)]; }

}  // namespace zt
