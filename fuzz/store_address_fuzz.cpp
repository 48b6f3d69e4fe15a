// SPDX-License-Identifier: Apache-2.0
// store.json of a launch. What is accepted must write to a text that is accepted again.
#include "contract/store_address.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (const auto address = zt::contract::parse_store_address(zt::fuzz::text_of(data, size)))
    zt::fuzz::expect(zt::contract::parse_store_address(zt::contract::to_json(*address)).has_value());
  return 0;
}
