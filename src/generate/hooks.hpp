// SPDX-License-Identifier: Apache-2.0
// How a long-running job reports progress and is asked to stop. Both functions may be empty; both are called
// on the caller's thread, at least once a denoising step and once a decoded chunk.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "base/error.hpp"
#include "contract/words/progress.hpp"

namespace zt::generate {

struct Hooks {
  /// Sets phase, step, total_steps and action; the worker adds the rest before it publishes.
  std::function<void(const contract::Progress&)> progress = {};
  /// True: stop as soon as possible. The work then ends with Cancelled and leaves no half-written file.
  std::function<bool()> should_stop = {};

  /// `action`: what is done now, for people; `done` of `total`: steps, frames or clips, 0 of 0 where there is
  /// nothing to count.
  void say(contract::Phase phase, std::string action, int64_t done = 0, int64_t total = 0) const {
    if (!progress) return;
    contract::Progress now;
    now.phase = phase;
    now.step = done;
    now.total_steps = total;
    now.action = std::move(action);
    progress(now);
  }
  /// Cancelled if the caller wants to stop.
  Status check() const {
    if (should_stop && should_stop()) return fail(ErrorCode::Cancelled, "stopped on request");
    return {};
  }
};

}  // namespace zt::generate
