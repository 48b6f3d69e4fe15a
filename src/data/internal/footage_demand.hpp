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
  int64_t num_people = 0;                         ///< kept per video; 0 = nobody is looked for
};

/// An estimate from the headers of at most 32 of the videos, for the moment when the most demanding of those
/// are looked at together. Per thread 30 B a pixel (the decoder's 16 pictures of 1.5 B, two of 3 B), and
/// where people are looked for 128 MiB for the networks (112 measured with all four), and 2 KiB for each
/// person who is followed in a frame (three more than are kept). What can't be opened counts nothing.
std::vector<resources::Demand> footage_demands(const FootageWork& work);

}  // namespace zt::data::internal
