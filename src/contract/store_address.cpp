// SPDX-License-Identifier: Apache-2.0
#include "contract/store_address.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text/json_reason.hpp"
#include "contract/internal/json_number.hpp"

namespace zt::contract {

std::string to_json(const StoreAddress& address) {
  const nlohmann::ordered_json json{{"version", StoreAddress::kVersion},
                                    {"launch", address.launch},
                                    {"ranks", address.ranks},
                                    {"hosts", address.hosts},
                                    {"port", address.port},
                                    {"token", address.token}};
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Result<StoreAddress> parse_store_address(std::string_view text) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (const auto version = internal::whole<int64_t>(json.at("version")); version != StoreAddress::kVersion)
      return fail(ErrorCode::Unsupported,
                  fmt::format("a store's address of version {}, this program reads version {}", version,
                              StoreAddress::kVersion));
    StoreAddress address;
    address.launch = json.at("launch");
    address.ranks = internal::whole<int64_t>(json.at("ranks"));
    address.hosts = json.at("hosts").get<std::vector<std::string>>();
    address.port = internal::whole<uint16_t>(json.at("port"));
    if (address.port == 0) return fail(ErrorCode::Corrupt, "not a store's address: 0 is not a port");
    address.token = json.at("token");
    return address;
  } catch (const std::exception& e) {  // third-party leaf: nlohmann throws
    return fail(ErrorCode::Corrupt, fmt::format("not a store's address: {}", json_reason(e)));
  }
}

}  // namespace zt::contract
