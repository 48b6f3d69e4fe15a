// SPDX-License-Identifier: Apache-2.0
// Clip indexes.
#include "data/clip_index.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(zt::data::parse_index(zt::fuzz::text_of(data, size), "/root"));
  return 0;
}
