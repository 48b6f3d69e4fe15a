// SPDX-License-Identifier: Apache-2.0
// Event files. Damaged lines are left out and counted, so every input is accepted.
#include "contract/events.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static zt::fuzz::InputFile file("1.rank0.jsonl");
  file.write(data, size);
  zt::fuzz::expect(zt::contract::read_events(file.folder()).has_value());
  return 0;
}
