// SPDX-License-Identifier: Apache-2.0
// The page that quickstart leaves: results first, then how they came about.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "contract/run_folder.hpp"

namespace zt::cli {

struct QuickstartResults {
  contract::RunFolder stage1, stage2;
  std::filesystem::path evaluation;  ///< eval.json and clips, generated beside the truth
  std::filesystem::path videos;      ///< clips of one character in another's motion
};

/// A paragraph that says where a time cap moved the end of the run; nothing where it went as planned.
std::string cut_short(std::string_view what, const contract::RunFolder& run);

Status write_quickstart_page(const std::filesystem::path& page, const QuickstartResults& results);

}  // namespace zt::cli
