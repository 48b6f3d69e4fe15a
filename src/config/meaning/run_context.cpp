// SPDX-License-Identifier: Apache-2.0
#include "config/meaning/run_context.hpp"

#include <fmt/format.h>

#include "config/internal/rules.hpp"

namespace zt::config {

Result<std::vector<std::string>> fit_context(const Trained& trained, Resolved<GenerateJob>& resolved) {
  std::vector<std::string> lines;
  if (trained.job.stage != 2) return lines;
  ContextJob& context = resolved.job.context;
  std::string& frames_origin = resolved.origins["context.frames"];
  std::string& overlap_origin = resolved.origins["context.overlap"];
  const int64_t clip_frames = trained.job.data.n_sample_frames, positions = trained.job.model.motion.max_len;
  const bool is_open = is_default_origin(frames_origin);
  if (context.frames > clip_frames && is_open) {
    context.frames = clip_frames;
    frames_origin = trained.origin;
    lines.push_back(fmt::format("context.frames={}, the length of the clips that {} was trained on",
                                clip_frames, trained.name));
  }
  if (context.frames > positions)
    return broken(fmt::format(
        "context.frames ({}, {}) is longer than model.motion.max_len ({}) of {}, the frame positions "
        "that its networks know: set context.frames to at most that",
        context.frames, frames_origin, positions, trained.name));
  if (context.frames > clip_frames)
    lines.push_back(
        fmt::format("context.frames={} is longer than the {} frames of the clips that {} was trained "
                    "on: later positions were never trained",
                    context.frames, clip_frames, trained.name));
  if (context.overlap < context.frames) return lines;
  if (!is_default_origin(overlap_origin))
    return broken(fmt::format("context.overlap ({}, {}) must be less than context.frames ({}, {})",
                              context.overlap, overlap_origin, context.frames, frames_origin));
  context.overlap = context.frames - 1;
  overlap_origin = "below context.frames";
  return lines;
}

}  // namespace zt::config
