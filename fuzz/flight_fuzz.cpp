// SPDX-License-Identifier: Apache-2.0
// Flight records of ranks. What is accepted must write to a file that is accepted again, no exchange lost.
#include "contract/words/flight.hpp"
#include "input.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static zt::fuzz::InputFile file("flight.jsonl");
  const auto flight = zt::contract::read_flight(file.write(data, size));
  if (!flight) return 0;
  const auto copy = file.folder() / "copy.jsonl";
  zt::fuzz::expect(zt::contract::write_flight(copy, *flight).has_value());
  const auto back = zt::contract::read_flight(copy);
  zt::fuzz::expect(back && back->exchanges.size() == flight->exchanges.size());
  return 0;
}
