// SPDX-License-Identifier: Apache-2.0
// How the savers of several ranks hear of each other: short texts under names, posted once and waited for.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/error.hpp"

namespace zt::checkpoint {

/// Threads: any, several at once: a saver's thread that writes calls it, and so does the thread that trains,
/// where it has to write or to call off a save itself. The saver keeps the meeting; what an implementation
/// refers to must outlive the saver.
class Meeting {
 public:
  virtual ~Meeting() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual Status post(const std::string& key, const std::string& text) = 0;
  /// The texts of all keys, once all are there. Errors: Timeout; those of the means.
  virtual Result<std::vector<std::string>> await(const std::vector<std::string>& keys,
                                                 std::chrono::milliseconds limit) = 0;
  /// The text will not be asked for any more.
  virtual void forget(const std::string& key) = 0;
};

}  // namespace zt::checkpoint
