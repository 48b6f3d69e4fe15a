// SPDX-License-Identifier: Apache-2.0
// Moore's *_meta.json lists.
#include "data/meta_list.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(zt::data::parse_meta_list(zt::fuzz::text_of(data, size)));
  return 0;
}
