// SPDX-License-Identifier: Apache-2.0
// Room on disk for the key-points of footage, and for their previews, before any is looked at.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "base/process/resources.hpp"

namespace zt::data {

/// An estimate: the videos' frames, counted from their sizes in bytes and the headers of a few of them, times
/// 3 KiB for each of `num_people` (384 numbers of at most 8 characters), and for a preview one bit a pixel.
/// What can't be opened counts nothing.
resources::Demand pose_demand(std::span<const std::filesystem::path> videos, int64_t num_people,
                              bool has_previews);

}  // namespace zt::data
