// SPDX-License-Identifier: Apache-2.0
// Where the ranks of a launch that no `zoetrope` made find their store: attempts/<n>/store.json of the run
// folder, written by the store itself and removed when it ends. Format: docs/formats/run-folder.md. Readable
// by the owner only, as it holds the word that lets one in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace zt::contract {

struct StoreAddress {
  static constexpr int kVersion = 1;
  std::string launch;  ///< of EnvironmentPlace: whose it is
  int64_t ranks = 0;
  std::vector<std::string> hosts;  ///< numeric addresses, the likeliest first; not all need lead there
  uint16_t port = 0;
  std::string token;
};

std::string to_json(const StoreAddress& address);
/// Errors: Corrupt for anything but a complete one, Unsupported for another version.
Result<StoreAddress> parse_store_address(std::string_view json);

}  // namespace zt::contract
