// SPDX-License-Identifier: Apache-2.0
// Clips for the eye: reference, pose, result and truth side by side, frame by frame.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "base/error.hpp"
#include "data/sample/load_sample.hpp"
#include "image/image.hpp"
#include "media/video_writer.hpp"

namespace zt::generate {

/// Pixels between panels.
inline constexpr int kPanelPadding = 2;

/// The panels of one frame, left to right.
using PanelRow = std::vector<image::Image>;

/// reference | pose | result | truth of every result. Requires: poses and targets in the sample, as many as
/// results at least.
std::vector<PanelRow> panel_rows(const data::Sample& sample, std::span<const image::Image> results);

/// Writes them as a video; its size follows the rows. Errors: those of media::write_video.
Status write_panels(const std::filesystem::path& path, std::span<const PanelRow> rows,
                    media::VideoWriterOptions options);

}  // namespace zt::generate
