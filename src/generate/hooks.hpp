// SPDX-License-Identifier: Apache-2.0
// How long work in this folder tells its caller where it is and asks whether to go on. Both functions may be
// empty; both are called on the caller's thread, at least once a denoising step and once a decoded chunk.
#pragma once

#include <functional>

#include "base/error.hpp"
#include "contract/words/progress.hpp"

namespace zt::generate {

struct Hooks {
  /// Sets phase, step, total_steps and action; the worker adds the rest before it publishes.
  std::function<void(const contract::Progress&)> progress = {};
  /// True: stop as soon as possible. The work then ends with Cancelled and leaves no half-written file.
  std::function<bool()> should_stop = {};

  void report(const contract::Progress& progress_now) const {
    if (progress) progress(progress_now);
  }
  /// Cancelled if the caller wants to stop.
  Status check() const {
    if (should_stop && should_stop()) return fail(ErrorCode::Cancelled, "stopped on request");
    return {};
  }
};

}  // namespace zt::generate
