// SPDX-License-Identifier: Apache-2.0
// Indexes of sharded weights. No shard that is accepted lies outside the index's folder.
#include "input.hpp"
#include "weights/internal/model_layout.hpp"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto index = zt::weights::internal::parse_shard_index(zt::fuzz::text_of(data, size), "input");
  if (!index) return 0;
  for (const auto& [file, tensors] : *index) {
    const std::filesystem::path name(file);
    zt::fuzz::expect(!tensors.empty() && !name.has_parent_path() && name != ".." && name != ".");
  }
  return 0;
}
