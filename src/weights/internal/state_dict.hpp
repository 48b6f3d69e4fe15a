// SPDX-License-Identifier: Apache-2.0
// From the inert tree of a pickle to tensors: the fixed list of calls that mean something to us.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/error.hpp"
#include "weights/internal/torch_pickle.hpp"

namespace zt::weights::internal {

/// What a persistent id names: a flat array in the file.
struct StorageId {
  DType dtype = DType::U8;
  std::string_view key;
  int64_t num_elements = 0;
};

/// The whole storage's bytes, at least num_elements elements long.
using StorageLookup = std::function<Result<std::span<const std::byte>>(const StorageId&)>;

/// Reads ("storage", type, key, location, number of elements, ...).
Result<StorageId> read_storage_id(const PickleTree& tree, NodeId persistent, std::string_view label);

/// Walks dictionaries and lists from the root and collects tensors under dotted names; a lone tensor is named
/// "tensor". `max_copy_bytes` bounds what non-contiguous tensors may unfold to.
Result<TorchTensors> collect_tensors(const PickleTree& tree, const StorageLookup& storage,
                                     uint64_t max_copy_bytes, std::string_view label);

}  // namespace zt::weights::internal
