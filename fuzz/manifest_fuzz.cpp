// SPDX-License-Identifier: Apache-2.0
// Checkpoint manifests. What is accepted must write to a text that is accepted again.
#include "contract/manifest.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (const auto manifest = zt::contract::parse_manifest(zt::fuzz::text_of(data, size)))
    zt::fuzz::expect(zt::contract::parse_manifest(zt::contract::to_json(*manifest)).has_value());
  return 0;
}
