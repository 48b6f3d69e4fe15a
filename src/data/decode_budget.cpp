// SPDX-License-Identifier: Apache-2.0
#include "data/decode_budget.hpp"

namespace zt::data {

DecodeBudget::Share::Share(DecodeBudget& budget, uint64_t bytes) : budget_(budget), bytes_(bytes) {
  std::unique_lock lock(budget_.mutex_);
  budget_.freed_.wait(
      lock, [&] { return budget_.used_bytes_ == 0 || budget_.used_bytes_ + bytes_ <= budget_.limit_bytes_; });
  budget_.used_bytes_ += bytes_;
}

DecodeBudget::Share::~Share() {
  {
    const std::lock_guard lock(budget_.mutex_);
    budget_.used_bytes_ -= bytes_;
  }
  budget_.freed_.notify_all();
}

}  // namespace zt::data
