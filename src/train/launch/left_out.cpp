// SPDX-License-Identifier: Apache-2.0
// See left_out.hpp.
#include "train/launch/left_out.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/log.hpp"
#include "contract/left_out.hpp"
#include "train/launch/setup.hpp"

namespace zt::train {
namespace {

/// More would mean that it is not the clips.
constexpr size_t kMostClips = 256;

}  // namespace

Status leave_out_deadly_clips(Setup& setup, const contract::RunFolder& run) {
  std::vector<double> told;
  Status is_read;
  int64_t num_ignored = 0;
  if (setup.ranks.is_first()) {
    if (const auto listed = contract::read_left_out(run.left_out())) {
      for (const contract::LeftOutClip& one : *listed) {
        if (one.clip < 0 || one.clip >= static_cast<int64_t>(setup.clips.clips.size()) ||
            told.size() == kMostClips) {
          ++num_ignored;
          continue;
        }
        told.push_back(static_cast<double>(one.clip));
        log::warn("train", fmt::format("no samples are taken from clip {} ({}): {}", one.clip,
                                       setup.clips.clips[static_cast<size_t>(one.clip)].video, one.why));
      }
      if (num_ignored > 0)
        log::warn(
            "train",
            fmt::format("{} entries of {} are ignored: there is no such clip, or {} others are left out",
                        num_ignored, run.left_out().string(), kMostClips));
    } else {
      is_read = fail(listed.error());
    }
  }
  ZT_TRY(is_read);  // the others end with this rank
  ZT_TRY_ASSIGN(const auto by_rank, setup.ranks.gather(told, kMostClips, "clips that ended ranks"));
  for (const double clip : by_rank.front()) setup.cursor.clips.left_out.insert(static_cast<int64_t>(clip));
  return {};
}

}  // namespace zt::train
