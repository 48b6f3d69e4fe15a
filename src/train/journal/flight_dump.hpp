// SPDX-License-Identifier: Apache-2.0
// Evidence of what a rank does: its flight record (docs/formats/flight.md), written when it fails and when
// the launcher asks for it by SIGUSR2; then by a thread of its own, so that it comes also while the main
// thread hangs.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "dist/communicator.hpp"
#include "train/journal/rank_words.hpp"

namespace zt::train {

class FlightDump {
 public:
  /// The thread runs until the destructor. Requires: signals::install().
  FlightDump(std::filesystem::path file, std::shared_ptr<RankWords> words);
  ~FlightDump();
  FlightDump(const FlightDump&) = delete;
  FlightDump& operator=(const FlightDump&) = delete;

  /// A group of this rank's whose exchanges are recorded. It may end before this.
  void follow(const dist::Communicator& group);
  /// Writes the record, unless there is no group. Threads: any.
  Status write(std::string_view reason);

 private:
  void stand_by();
  const std::filesystem::path file_;
  const std::shared_ptr<RankWords> words_;
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool is_stopping_ = false;
  struct Followed {
    dist::GroupIdentity identity;
    std::shared_ptr<const dist::FlightRecorder> recorder;
  };
  std::vector<Followed> groups_;
  int answered_;  ///< requests, also of before the thread runs
  std::thread thread_;
};

}  // namespace zt::train
