// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets of other programs' files share.
#pragma once

#include <algorithm>

#include "config/foreign/foreign_files.hpp"
#include "config/load.hpp"
#include "input.hpp"

namespace zt::fuzz {

/// Reads the files as `train` does: their kinds, their ranks, then their values over a job of as many lanes.
inline void read_over_a_job(const config::ForeignFiles& files) {
  static_cast<void>(config::kind_of(files.accelerate.empty() ? files.deepspeed : files.accelerate));
  const auto asked = config::foreign_ranks(files);
  const int64_t ranks = asked && *asked ? std::clamp<int64_t>(**asked, 1, 8) : 2;
  auto resolved = config::load<config::TrainJob>({{}, {"lanes=8"}});
  expect(resolved.has_value());
  if (!config::add_foreign(files, ranks, *resolved)) return;
  static InputFile frozen("frozen.yaml");
  const std::string text = config::freeze(*resolved);
  const auto back = config::thaw<config::TrainJob>(
      frozen.write(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
  expect(back && config::digest(*back) == config::digest(resolved->job));
}

}  // namespace zt::fuzz
