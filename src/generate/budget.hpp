// SPDX-License-Identifier: Apache-2.0
// What one generation will need, estimated before anything is allocated.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/process/resources.hpp"
#include "config/job/generate_job.hpp"
#include "generate/load_run.hpp"
#include "generate/pictures/canvas.hpp"
#include "models/latent_codec.hpp"
#include "models/network_set.hpp"

namespace zt::generate {

inline constexpr std::string_view kMemoryAdvice =
    "use smaller width and height, fewer context.frames, or a smaller decode_chunk_frames";
inline constexpr std::string_view kDiskAdvice =
    "free some space, write elsewhere (-o), or set write_panels=false";

/// One decoded chunk of a clip of so many frames. Within a quarter of the allocator's count on a CPU, where
/// convolutions bring pictures into an order of their own.
resources::Demand decoding_demand(const config::GenerateJob& job, const Canvas& canvas,
                                  const models::LatentCodec& codec, int64_t num_frames);

/// Weights exactly; the larger of one window's activations and one decoded chunk, latents and kept pose
/// features from the sizes. libtorch's number of threads counts: with two, small windows hold both halves of
/// guidance at once. `matrices`: LoadModelOptions::matrices. Requires: at least one frame. Against the
/// counting allocator (weights and decoding aside): tiny64, 24 frames, 6 % too high on one thread and 15 % on
/// two; quarter width, 128 px, 24 frames, 1 % too high.
std::vector<resources::Demand> memory_demands(const config::GenerateJob& job,
                                              const models::NetworkConfigs& configs, const Canvas& canvas,
                                              const models::LatentCodec& codec, int64_t num_frames,
                                              at::ScalarType matrices = at::kFloat);

/// An upper bound: the videos' frames uncompressed (12 bits a pixel).
std::vector<resources::Demand> disk_demands(const config::GenerateJob& job, const Canvas& canvas,
                                            int64_t num_frames);

/// The disk of an export: what its files hold, networks first.
std::vector<resources::Demand> export_demands(const ModelOutline& model);

}  // namespace zt::generate
