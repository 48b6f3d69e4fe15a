// SPDX-License-Identifier: Apache-2.0
// See staging.hpp.
#include "checkpoint/internal/staging.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/process/mapped_memory.hpp"
#include "base/process/resources.hpp"

namespace zt::checkpoint::internal {
namespace {

/// Left over for the step that runs beside the write.
constexpr uint64_t kSpareBytes = uint64_t{256} << 20;
constexpr size_t kAlignment = 64;

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::vector<params::StateTensor> views(const std::vector<params::StateTensor>& tensors) {
  std::vector<params::StateTensor> out;
  for (const params::StateTensor& t : tensors)
    out.push_back({t.name, t.value.detach().cpu().contiguous(), t.piece});
  return out;
}

size_t bytes_of_copy(const Snapshot& snapshot) {
  size_t total = kAlignment;  // a mapping is never empty
  for (const params::StateTensor& t : snapshot.tensors) total += aligned(t.value.nbytes());
  return total;
}

}  // namespace

bool has_room(const Snapshot& snapshot) {
  const auto memory = resources::memory();
  return !memory || memory->available_bytes >= bytes_of_copy(snapshot) + kSpareBytes;
}

std::optional<Snapshot> copied(const Snapshot& snapshot) {
  const at::NoGradGuard no_grad;
  const std::shared_ptr<std::byte> memory = mapped_memory(bytes_of_copy(snapshot));
  if (!memory) return std::nullopt;

  Snapshot out{snapshot.step, {}, snapshot.scalars, snapshot.metrics, views(snapshot.frozen)};
  size_t offset = 0;
  for (const params::StateTensor& t : snapshot.tensors) {
    const at::Tensor live = t.value.detach();
    const at::Tensor copy = at::from_blob(
        memory.get() + offset, live.sizes(), [memory](void*) {}, live.options().device(at::kCPU));
    copy.copy_(live);
    out.tensors.push_back({t.name, copy, t.piece});
    offset += aligned(live.nbytes());
  }
  return out;
}

Snapshot viewed(const Snapshot& snapshot) {
  return {snapshot.step, views(snapshot.tensors), snapshot.scalars, snapshot.metrics, views(snapshot.frozen)};
}

}  // namespace zt::checkpoint::internal
