// SPDX-License-Identifier: Apache-2.0
#include "data/sample/decode_budget.hpp"

#include <fmt/format.h>

namespace zt::data {

Result<DecodeBudget::Share> DecodeBudget::take(uint64_t bytes, std::chrono::milliseconds deadline) {
  std::unique_lock lock(mutex_);
  const auto has_room = [&] { return used_bytes_ == 0 || used_bytes_ + bytes <= limit_bytes_; };
  if (!freed_.wait_for(lock, deadline, has_room))
    return fail(ErrorCode::Timeout,
                fmt::format("no room for {} bytes of pictures after {} s: other threads hold {} of {} bytes "
                            "(data.decode_memory_mib) and read no further",
                            bytes, deadline.count() / 1000, used_bytes_, limit_bytes_));
  used_bytes_ += bytes;
  return Share(this, bytes);
}

DecodeBudget::Share::~Share() {
  if (!budget_) return;
  {
    const std::lock_guard lock(budget_->mutex_);
    budget_->used_bytes_ -= bytes_;
  }
  budget_->freed_.notify_all();
}

}  // namespace zt::data
