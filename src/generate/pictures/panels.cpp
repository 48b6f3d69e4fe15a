// SPDX-License-Identifier: Apache-2.0
#include "generate/pictures/panels.hpp"

namespace zt::generate {

std::vector<PanelRow> panel_rows(const data::Sample& sample, std::span<const image::Image> results) {
  std::vector<PanelRow> rows;
  for (size_t f = 0; f < results.size(); ++f)
    rows.push_back({sample.reference, sample.poses[f], results[f], sample.targets[f]});
  return rows;
}

Status write_panels(const std::filesystem::path& path, std::span<const PanelRow> rows,
                    media::VideoWriterOptions options) {
  std::vector<image::Image> frames;
  for (const PanelRow& row : rows) frames.push_back(image::hconcat(row, kPanelPadding));
  options.width = frames.front().width;
  options.height = frames.front().height;
  return media::write_video(path, frames, options);
}

}  // namespace zt::generate
