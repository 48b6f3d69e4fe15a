// SPDX-License-Identifier: Apache-2.0
#include "data/internal/source_pool.hpp"

#include <algorithm>

namespace zt::data::internal {

Result<std::vector<image::Image>> SourcePool::frames(const std::filesystem::path& path,
                                                     std::span<const int64_t> numbers) {
  const auto found =
      std::find_if(open_.begin(), open_.end(), [&](const auto& entry) { return entry.first == path; });
  if (found != open_.end()) {
    open_.splice(open_.begin(), open_, found);
  } else {
    ZT_TRY_ASSIGN(FrameSource source, FrameSource::open(path));
    open_.emplace_front(path, std::move(source));
    if (open_.size() > kMaxOpen) open_.pop_back();
  }
  auto pictures = open_.front().second.frames(numbers);
  if (!pictures) open_.pop_front();
  return pictures;
}

}  // namespace zt::data::internal
