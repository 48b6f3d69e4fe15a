// SPDX-License-Identifier: Apache-2.0
// Savers of several ranks that meet in one process.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "checkpoint/meeting.hpp"

namespace zt::test {

/// What the launcher's store is to real ranks.
struct Board {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::string, std::string> texts;
};

class BoardMeeting : public checkpoint::Meeting {
 public:
  BoardMeeting(Board& board, int rank, int size) : board_(board), rank_(rank), size_(size) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  Status post(const std::string& key, const std::string& text) override {
    const std::lock_guard lock(board_.mutex);
    board_.texts[key] = text;
    board_.changed.notify_all();
    return {};
  }
  Result<std::vector<std::string>> await(const std::vector<std::string>& keys,
                                         std::chrono::milliseconds limit) override {
    std::unique_lock lock(board_.mutex);
    const auto are_there = [&] {
      return std::ranges::all_of(keys, [&](const std::string& key) { return board_.texts.contains(key); });
    };
    if (!board_.changed.wait_for(lock, limit, are_there))
      return fail(ErrorCode::Timeout, "a rank did not come");
    std::vector<std::string> out;
    for (const std::string& key : keys) out.push_back(board_.texts[key]);
    return out;
  }
  void forget(const std::string& key) override {
    const std::lock_guard lock(board_.mutex);
    board_.texts.erase(key);
  }

 private:
  Board& board_;
  int rank_, size_;
};

}  // namespace zt::test
