// SPDX-License-Identifier: Apache-2.0
// Videos whose headers ask for a terabyte together, and that take no room.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace zt::test {

/// `count` videos of 8192 x 8192 by their headers (YUV4MPEG2), all one file, whose only frame is cut short.
inline void make_huge_videos(const std::filesystem::path& folder, int count) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "0.y4m") << "YUV4MPEG2 W8192 H8192 F25:1 Ip A1:1 C420jpeg\nFRAME\n"
                                  << std::string(1000, '\0');
  for (int i = 1; i < count; ++i)
    std::filesystem::create_symlink("0.y4m", folder / (std::to_string(i) + ".y4m"));
}

}  // namespace zt::test
