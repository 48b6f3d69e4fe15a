// SPDX-License-Identifier: Apache-2.0
// Whether a video file is all there, by a quick look at its end, where decoding all of it would take too
// long. Damage before the end is seen by decoding alone: media::require_whole().
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/error.hpp"

namespace zt::data::internal {

/// Of mp4, mov and AVI: that the file holds the bytes which its container announces. Of every format: that
/// its last picture, by the container's number of frames, decodes where the file's last 4 KiB are zeros (a
/// download into a file of full size that was never finished). Requires: num_frames > 0. Errors: Corrupt if
/// the file ends early; those of opening it. Cost: some reads of 16 bytes and one of 4 KiB; decoding only for
/// zeros.
Status require_end(const std::filesystem::path& video, int64_t num_frames);

}  // namespace zt::data::internal
