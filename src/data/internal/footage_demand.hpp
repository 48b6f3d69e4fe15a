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

struct FootageWork {
  std::span<const std::filesystem::path> videos;  ///< files, or folders of pictures
  size_t num_threads = 1;                         ///< each looks at a video of its own
};

// Both are estimates from the headers of at most 32 of the videos, for the moment when the most demanding of
// those are looked at together. What can't be opened counts nothing.

/// 30 B a pixel and thread: the decoder's 16 pictures of 1.5 B, two of 3 B.
resources::Demand decoding_demand(const FootageWork& work);

/// Beside decoding: per thread 128 MiB for the networks (112 measured with all four), and 2 KiB for each
/// person who is followed in a frame, three more than the `num_people` who are kept. An upper bound, as few
/// people are in a picture from a video's start to its end.
std::vector<resources::Demand> searching_demands(const FootageWork& work, int64_t num_people);

}  // namespace zt::data::internal
