// SPDX-License-Identifier: Apache-2.0
// identity.json of runs. What is accepted must write to a text that is accepted again.
#include "contract/run_folder.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (const auto identity = zt::contract::parse_identity(zt::fuzz::text_of(data, size)))
    zt::fuzz::expect(zt::contract::parse_identity(zt::contract::to_json(*identity)).has_value());
  return 0;
}
