// SPDX-License-Identifier: Apache-2.0
#include "contract/exit_codes.hpp"

namespace zt::contract {

int exit_code(const Error& error) { return policy(error.code).exit_code; }

std::optional<ErrorCode> error_of_exit(int code) {
  if (code == kExitUsage) return ErrorCode::InvalidConfig;  // shared by two rows with the same consequence
  for (const auto& row : error_policies()) {
    if (row.exit_code == code) return row.code;
  }
  return std::nullopt;
}

}  // namespace zt::contract
