// SPDX-License-Identifier: Apache-2.0
// The one table that says what each error code means for restarts, the exit code and the operator.
// docs/errors.md is generated from it; recovery decides from exit codes by the same rows.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace zt {

struct ErrorPolicy {
  ErrorCode code;
  std::string_view name;
  bool restarts_worker;  ///< the launcher starts a rank that ended so again (cli/failure/restart_policy.hpp)
  int exit_code;
  std::string_view operator_text;
};

/// The rows, in the order of ErrorCode.
std::span<const ErrorPolicy> error_policies();
const ErrorPolicy& policy(ErrorCode code);
/// docs/errors.md.
std::string errors_page();

/// Exit code of a run that stopped cleanly on request and can be resumed (EX_TEMPFAIL).
inline constexpr int kExitResumable = 75;

}  // namespace zt
