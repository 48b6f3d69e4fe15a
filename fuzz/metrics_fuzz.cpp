// SPDX-License-Identifier: Apache-2.0
// Metric segments. A damaged tail is left out and counted, so every input is accepted.
#include "contract/metrics.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static zt::fuzz::InputFile file("1.rank0.seg");
  file.write(data, size);
  zt::fuzz::expect(zt::contract::read_metrics(file.folder()).has_value());
  return 0;
}
