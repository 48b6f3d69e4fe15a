// SPDX-License-Identifier: Apache-2.0
// Progress words as one line for a person.
#pragma once

#include <string>

#include "base/clock.hpp"
#include "contract/words/progress.hpp"

namespace zt::cli {

/// "training [####....] 120/400  loss 0.1234  15.2/s  3 min 10 s left". Parts that are not known are left
/// out; the bar takes what `width` columns leave for it and is left out below 10. Words that have not changed
/// for `silent_s` seconds, longer than what is done usually takes, say that instead of a pace that is no
/// more: "no word for 40.0 s".
std::string progress_text(const contract::Progress& progress, int width, double silent_s = 0);

/// How long the same words have been read.
class Silence {
 public:
  double of(const contract::Progress& progress) {
    if (progress.heartbeat_s != heartbeat_s_) {
      heartbeat_s_ = progress.heartbeat_s;
      since_ = {};
    }
    return since_.seconds();
  }

 private:
  double heartbeat_s_ = 0;
  clock::Stopwatch since_;
};

}  // namespace zt::cli
