// SPDX-License-Identifier: Apache-2.0
// Key-point files.
#include "data/keypoints/keypoints.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static_cast<void>(zt::data::parse_keypoints(zt::fuzz::text_of(data, size)));
  return 0;
}
