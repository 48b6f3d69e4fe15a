// SPDX-License-Identifier: Apache-2.0
// Long work of the first rank whose steps can only say whether to go on.
#pragma once

#include "train/ranks/ranks.hpp"

namespace zt::train {

class OthersWait {
 public:
  explicit OthersWait(Ranks& ranks) : ranks_(ranks) {}
  /// Ranks::keep_waiting(). False once that has failed.
  bool tell() {
    if (status_) status_ = ranks_.keep_waiting();
    return status_.has_value();
  }
  /// The first error.
  const Status& status() const { return status_; }

 private:
  Ranks& ranks_;
  Status status_;
};

}  // namespace zt::train
