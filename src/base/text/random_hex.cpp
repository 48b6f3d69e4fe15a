// SPDX-License-Identifier: Apache-2.0
#include "base/text/random_hex.hpp"

#include <fmt/format.h>

#include <random>

namespace zt {

std::string random_hex(size_t digits) {
  std::random_device device;
  std::string out;
  while (out.size() < digits) out += fmt::format("{:08x}", device() & 0xffffffffu);
  out.resize(digits);
  return out;
}

}  // namespace zt
