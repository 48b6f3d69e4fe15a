// SPDX-License-Identifier: Apache-2.0
// Tensor files: safetensors, torch's zip and pickle. Every byte of an accepted file's tensors must be
// readable.
#include <algorithm>

#include "input.hpp"
#include "weights/tensor_file.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = zt::weights::TensorFile::parse(zt::fuzz::bytes_of(data, size), "input");
  if (!file) return 0;
  for (const auto& entry : file->entries()) {
    volatile size_t ones = static_cast<size_t>(std::ranges::count(entry.bytes, std::byte{1}));
    static_cast<void>(ones);
  }
  return 0;
}
