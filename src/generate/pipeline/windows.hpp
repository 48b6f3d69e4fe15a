// SPDX-License-Identifier: Apache-2.0
// Context windows: how a clip longer than the network's window is cut for one denoising step, and how much
// each window counts in the average of a frame's predictions. Pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "config/job/generate_job.hpp"

namespace zt::generate {

struct Window {
  std::vector<int64_t> frames;  ///< clip frames, in the order the network sees them
  std::vector<float> weights;   ///< one per frame, above 0
  bool operator==(const Window&) const = default;
};

/// The windows of one denoising step. Every frame in [0, num_frames) is in at least one; a clip that fits
/// gives one window of all its frames. Requires: num_frames, context.frames, context.stride >= 1, step >= 0,
/// 0 <= context.overlap < context.frames (else throws ContractError).
///   Compat: the reference's uniform windows, all weights 1; `step` has no influence, because the reference
///   always passes 0.
///   Better: windows every frames - overlap frames, moved back by a share of that distance that differs from
///   step to step, so that seams do not stay in one place; those beyond the clip's ends are clamped to them.
///   A frame's weight grows linearly with its distance from the window's borders (MimicMotion's progressive
///   latent fusion, arXiv 2406.19680, section 3.4); the clip's own ends are no borders. context.stride has no
///   influence.
std::vector<Window> plan_windows(const config::ContextJob& context, int64_t num_frames, int64_t step);

/// The reference's scheduler `uniform` (Moore-AnimateAnyone src/pipelines/context.py) with its step argument,
/// as frame numbers.
std::vector<std::vector<int64_t>> uniform_windows(const config::ContextJob& context, int64_t num_frames,
                                                  int64_t step);

}  // namespace zt::generate
