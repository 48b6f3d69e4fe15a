// SPDX-License-Identifier: Apache-2.0
// The way between parameters on a device and optimizer state in host memory. A step's gradients, and values
// where the state has none of its own, come to the host in pieces of bounded size; a pass there makes new
// values, which go back. One piece is on its way while another is worked on (ZeRO-Offload, Ren et al. 2021).
// A piece is to the pass what a shard is: a shorter part of its segment, so that the bits don't depend on
// where segments are cut.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "params/param_store.hpp"

namespace zt::optim::internal {

class HostStaging {
 public:
  /// `longest`: elements of a piece, a multiple of params::kBlockElements. Holds two pieces' values and
  /// gradients, 16 bytes per element of the longest; pinned if `device` is a GPU.
  HostStaging(at::Device device, int64_t longest);

  /// Whether values of a segment are needed to make new ones.
  using NeedsValues = std::function<bool(size_t segment)>;
  /// Makes new values of a piece: values_S and gradients_S are copies in host memory of what `piece.part`
  /// names, and values_S is zero where values are not needed. Gradients don't go back.
  using Pass = std::function<void(size_t segment, const params::Segment& piece)>;

  /// Calls `pass` for every piece of the parts of the touched segments, in order. On a GPU the last values
  /// are still on their way when it returns; what the current stream does next comes after them.
  void run(std::span<const params::Segment> segments, const NeedsValues& needs_values, const Pass& pass);

 private:
  /// Elements of a segment's part, counted from the part's first.
  struct Cut {
    size_t segment;
    params::Range run;
  };
  struct Slot {
    at::Tensor values, gradients;        ///< bytes, room for the longest piece
    std::optional<c10::Event> is_there;  ///< on a GPU: the piece has come
    params::Segment piece;
  };
  std::vector<Cut> cut(std::span<const params::Segment> segments) const;
  void fetch(const params::Segment& segment, params::Range run, bool with_values, Slot& slot) const;
  const at::Device device_;
  const int64_t longest_;
  std::array<Slot, 2> slots_;
};

}  // namespace zt::optim::internal
