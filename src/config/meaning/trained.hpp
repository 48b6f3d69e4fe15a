// SPDX-License-Identifier: Apache-2.0
// How networks were trained, as far as their use depends on it.
#pragma once

#include <string>

#include "config/job/train_job.hpp"

namespace zt::config {

struct Trained {
  TrainJob job;        ///< a run's, or what an export's trained_as.json says of it, with defaults elsewhere
  std::string name;    ///< for people: "walk-1a2b3c4d", or the folder of an export
  std::string origin;  ///< of values that are taken from it: "run walk-1a2b3c4d", or the file
};

}  // namespace zt::config
