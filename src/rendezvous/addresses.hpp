// SPDX-License-Identifier: Apache-2.0
// Under which addresses other hosts reach this one.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"

namespace zt::rendezvous {

/// This host's numeric addresses, the likeliest first: those that `known_as`, what other hosts call this one,
/// stands for (none if empty or unknown here), then those of its interfaces. Loopback only if there is
/// nothing else.
std::vector<std::string> addresses_of_this_host(const std::string& known_as);

/// The numeric address that this host sends from on the route to `host`, a name or numeric address. Errors:
/// Unavailable for a name that can't be resolved or a host that no route leads to.
Result<std::string> address_towards(const std::string& host);

}  // namespace zt::rendezvous
