// SPDX-License-Identifier: Apache-2.0
#include "config/meaning/idle_settings.hpp"

#include <fmt/format.h>

#include "config/meaning/unit_sharing.hpp"

namespace zt::config {

std::vector<std::string> idle_settings(const TrainJob& job) {
  const ParallelJob& parallel = job.parallel;
  std::vector<std::string> lines;
  const auto note_if = [&](bool is_idle, const char* setting, const std::string& beside) {
    if (is_idle) lines.push_back(fmt::format("{} has no effect with {}", setting, beside));
  };
  note_if(job.checkpoint.memory_peer && job.checkpoint.memory_every_steps == 0,
          "checkpoint.memory_peer: true", "checkpoint.memory_every_steps: 0");
  const int64_t highest = highest_stage(parallel);
  const std::string stage = fmt::format("parallel.zero_stage: {}", highest);
  note_if(parallel.accumulation == Accumulation::Parts && highest < 2, "parallel.accumulation: parts", stage);
  note_if(!parallel.keep_whole.empty() && highest < 3, "parallel.keep_whole", stage);
  note_if(parallel.keep_whole_if_faster && highest < 3, "parallel.keep_whole_if_faster: true", stage);
  note_if(parallel.shard_ranks > 0 && highest == 0, "parallel.shard_ranks", stage);
  return lines;
}

}  // namespace zt::config
