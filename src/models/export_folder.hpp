// SPDX-License-Identifier: Apache-2.0
// Trained networks as files that other programs read. Formats: docs/formats/export.md.
#pragma once

#include <filesystem>

#include "base/error.hpp"
#include "config/job/export_job.hpp"
#include "models/clip_vision/clip_vision.hpp"
#include "models/latent_codec.hpp"
#include "models/network_set.hpp"

namespace zt::models {

/// Writes into `folder`, which is made. `codec` and `image_encoder` may be null: they are then left out.
/// Errors: Unsupported if the motion modules have a form that MotionAdapter has not; those of the writers.
Status export_networks(const NetworkSet& set, const LatentCodec* codec, const ClipEncoder* image_encoder,
                       const std::filesystem::path& folder, config::ExportLayout layout);

}  // namespace zt::models
