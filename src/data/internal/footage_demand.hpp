// SPDX-License-Identifier: Apache-2.0
// Memory for looking at footage, and for finding people in it, before any is opened for good.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/process/resources.hpp"

namespace zt::data::internal {

/// What the headers of footage say that is to be looked at.
struct FootageExtents {
  struct Video {
    int64_t width = 0;
    int64_t height = 0;
    int64_t num_frames = 0;
  };
  std::vector<Video> videos;  ///< at most 32 of them; zeros for what can't be opened
  size_t num_threads = 1;     ///< that have a video of their own to look at
};

/// `videos`: files, or folders of pictures.
FootageExtents extents_of(std::span<const std::filesystem::path> videos, size_t num_threads);

// Both are estimates for the moment when the most demanding videos are looked at together.

/// 30 B a pixel and thread: the decoder's 16 pictures of 1.5 B, two of 3 B.
resources::Demand decoding_demand(const FootageExtents& footage);

/// Beside decoding: per thread 128 MiB for the networks (112 measured with all four), and 2 KiB for each
/// person who is followed in a frame, three more than the `num_people` who are kept. An upper bound, as few
/// people are in a picture from a video's start to its end.
std::vector<resources::Demand> searching_demands(const FootageExtents& footage, int64_t num_people);

}  // namespace zt::data::internal
