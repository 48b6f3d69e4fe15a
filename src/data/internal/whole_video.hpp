// SPDX-License-Identifier: Apache-2.0
// Whether a video file is all there: by a quick look at its end, where decoding all of it would take too
// long, and by what was met while decoding it. Damage before the end is seen by decoding alone.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/error.hpp"
#include "media/video_reader.hpp"

namespace zt::data::internal {

/// Of mp4, mov and AVI: that the file holds the bytes which its container announces. Of every format: that
/// its last picture, by the container's number of frames, decodes where the file's last 4 KiB are zeros (a
/// download into a file of full size that was never finished). Requires: num_frames > 0. Errors: Corrupt if
/// the file ends early; those of opening it. Cost: some reads of 16 bytes and one of 4 KiB; decoding only for
/// zeros.
Status require_end(const std::filesystem::path& video, int64_t num_frames);

/// Of a video that was read to its end. Errors: Corrupt if that came early, or a frame did not decode or was
/// damaged: damaged ones are passed over, so that later ones have wrong numbers.
Status require_whole(const std::filesystem::path& video, const media::ReadReport& report);

}  // namespace zt::data::internal
