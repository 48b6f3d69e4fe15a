// SPDX-License-Identifier: Apache-2.0
// Names and words that nobody else has: run ids, temporary files, the ranks' token.
#pragma once

#include <cstddef>
#include <string>

namespace zt {

/// Lower-case hexadecimal digits from the system's random source, fresh at every call.
std::string random_hex(size_t digits);

}  // namespace zt
