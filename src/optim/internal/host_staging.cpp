// SPDX-License-Identifier: Apache-2.0
// See host_staging.hpp.
#include "optim/internal/host_staging.hpp"

#include <ATen/ATen.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>

#include "tensor/require.hpp"

namespace zt::optim::internal {
namespace {

/// Of fp32, the widest type that trains.
constexpr int64_t kWidestBytes = 4;

at::Tensor of_part(const at::Tensor& part, params::Range run) {
  return part.narrow(0, run.begin, run.size());
}

}  // namespace

HostStaging::HostStaging(at::Device device, int64_t longest) : device_(device), longest_(longest) {
  ZT_REQUIRE(longest > 0 && longest % params::kBlockElements == 0, "pieces of ", longest, " elements");
  const auto bytes = at::TensorOptions().dtype(at::kByte).pinned_memory(!device.is_cpu());
  for (Slot& slot : slots_) {
    slot.values = at::empty({longest * kWidestBytes}, bytes);
    slot.gradients = at::empty({longest * kWidestBytes}, bytes);
    if (!device.is_cpu()) slot.is_there.emplace(device.type());
  }
}

std::vector<HostStaging::Cut> HostStaging::cut(std::span<const params::Segment> segments) const {
  std::vector<Cut> cuts;
  for (size_t s = 0; s < segments.size(); ++s) {
    if (!segments[s].touched) continue;
    const int64_t size = segments[s].part.size();
    for (int64_t begin = 0; begin < size; begin += longest_)
      cuts.push_back({s, {begin, std::min(begin + longest_, size)}});
  }
  return cuts;
}

void HostStaging::fetch(const params::Segment& segment, params::Range run, bool with_values,
                        Slot& slot) const {
  const auto room = [&](const at::Tensor& bytes) {
    return bytes.view(segment.values_S.scalar_type()).narrow(0, 0, run.size());
  };
  slot.piece = segment;
  slot.piece.part = {segment.part.begin + run.begin, segment.part.begin + run.end};
  slot.piece.values_S = room(slot.values);
  slot.piece.gradients_S = room(slot.gradients);
  slot.piece.gradients_S.copy_(of_part(segment.gradients_S, run), /*non_blocking=*/true);
  if (with_values) slot.piece.values_S.copy_(of_part(segment.values_S, run), /*non_blocking=*/true);
  if (slot.is_there) slot.is_there->record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
}

// All copies go over one stream, so that a slot is filled again only after its values have left.
void HostStaging::run(std::span<const params::Segment> segments, const NeedsValues& needs_values,
                      const Pass& pass) {
  const std::vector<Cut> cuts = cut(segments);
  const auto fetch_next = [&](size_t i) {
    if (i >= cuts.size()) return;
    fetch(segments[cuts[i].segment], cuts[i].run, needs_values(cuts[i].segment), slots_[i % slots_.size()]);
  };
  fetch_next(0);
  for (size_t i = 0; i < cuts.size(); ++i) {
    const Cut& now = cuts[i];
    Slot& slot = slots_[i % slots_.size()];
    fetch_next(i + 1);
    if (slot.is_there) slot.is_there->synchronize();
    // What a pass does not reach, the padding behind parameters, stays zero.
    if (!needs_values(now.segment)) slot.piece.values_S.zero_();
    pass(now.segment, slot.piece);
    of_part(segments[now.segment].values_S, now.run).copy_(slot.piece.values_S, /*non_blocking=*/true);
  }
}

}  // namespace zt::optim::internal
