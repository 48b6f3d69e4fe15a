// SPDX-License-Identifier: Apache-2.0
#include "data/eval/choose_clips.hpp"

#include <fmt/format.h>

#include <utility>

namespace zt::data {

Result<ChosenClips> choose_clips(const ClipIndex& index, const std::vector<std::string>& splits,
                                 size_t num_clips) {
  ZT_TRY_ASSIGN(ClipIndex wanted, select_splits(index, splits, "the splits to judge (--split)"));
  ChosenClips chosen{{wanted.root, {}, wanted.has_digests}, {}};
  for (ClipRecord& clip : wanted.clips) {
    if (chosen.index.clips.size() == num_clips) break;
    if (clip.num_frames < 2) {
      chosen.left_out.push_back(
          {clip.id, "it has one frame, which is the reference: nothing is left to judge"});
    } else {
      chosen.index.clips.push_back(std::move(clip));
    }
  }
  if (chosen.index.clips.empty())
    return fail(
        ErrorCode::InvalidArgument,
        fmt::format("none of the {} clips to judge has two frames or more, and the first is the reference",
                    wanted.clips.size()));
  return chosen;
}

}  // namespace zt::data
