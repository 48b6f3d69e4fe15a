// SPDX-License-Identifier: Apache-2.0
#include "media/internal/frame_table.hpp"

#include <algorithm>
#include <iterator>

namespace zt::media::internal {

const FrameTable::Keyframe* FrameTable::keyframe_before(int64_t time) const {
  const auto after = std::upper_bound(keyframes.begin(), keyframes.end(), time,
                                      [](int64_t t, const Keyframe& keyframe) { return t < keyframe.pts; });
  return after == keyframes.begin() ? nullptr : &*std::prev(after);
}

size_t FrameTable::bytes() const {
  return sizeof(FrameTable) + pts.capacity() * sizeof(int64_t) + keyframes.capacity() * sizeof(Keyframe);
}

Result<std::shared_ptr<const FrameTable>> read_table(Input& input, ReadReport& report) {
  const std::shared_ptr<const FrameTable> none;
  const auto table = std::make_shared<FrameTable>();
  for (;;) {
    ZT_TRY_ASSIGN(const AVPacket* packet, input.next_packet(report));
    if (!packet) break;
    if (packet->flags & AV_PKT_FLAG_DISCARD) continue;  // cut away by the file's edit list
    if (packet->pts == AV_NOPTS_VALUE || packet->dts == AV_NOPTS_VALUE) return none;
    if (packet->flags & AV_PKT_FLAG_KEY) table->keyframes.push_back({packet->pts, packet->dts});
    if (table->keyframes.empty()) return none;
    table->pts.push_back(packet->pts);
  }
  std::sort(table->pts.begin(), table->pts.end());
  std::sort(table->keyframes.begin(), table->keyframes.end(),
            [](const auto& a, const auto& b) { return a.pts < b.pts; });
  const bool repeats = std::adjacent_find(table->pts.begin(), table->pts.end()) != table->pts.end();
  if (table->pts.empty() || repeats || table->keyframes.front().pts != table->pts.front()) return none;
  table->pts.shrink_to_fit();
  table->keyframes.shrink_to_fit();
  return table;
}

}  // namespace zt::media::internal
