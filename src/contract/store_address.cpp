// SPDX-License-Identifier: Apache-2.0
#include "contract/store_address.hpp"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "base/text/json_reason.hpp"

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
    if (const int version = json.at("version"); version != StoreAddress::kVersion)
      return fail(ErrorCode::Unsupported,
                  fmt::format("a store's address of version {}, this program reads version {}", version,
                              StoreAddress::kVersion));
    StoreAddress address;
    address.launch = json.at("launch");
    address.ranks = json.at("ranks");
    address.hosts = json.at("hosts").get<std::vector<std::string>>();
    const auto& port =
        json.at("port");  // a uint16_t would take what is left of a larger number, or a fraction
    if (!port.is_number_integer() || port < 1 || port > std::numeric_limits<uint16_t>::max())
      return fail(ErrorCode::Corrupt, fmt::format("not a store's address: {} is no port", port.dump()));
    address.port = port;
    address.token = json.at("token");
    return address;
  } catch (const std::exception& e) {  // third-party leaf: nlohmann throws
    return fail(ErrorCode::Corrupt, fmt::format("not a store's address: {}", json_reason(e)));
  }
}

}  // namespace zt::contract
