// SPDX-License-Identifier: Apache-2.0
// The numbers that one step leaves in the metrics (docs/formats/metrics.md has the rules for names). Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "train/state/cursor.hpp"
#include "train/stepper.hpp"

namespace zt::train {

/// Seconds of a step's parts and what it moved.
struct StepCost {
  double data_s = 0;  ///< waiting for samples and assembling batches
  double total_s = 0;
  double save_s = 0;  ///< stall of a save since the step before
  int64_t samples = 0;
  int64_t sent_bytes = 0;  ///< to other ranks, by this one
};

/// Adds a step's losses to the moving averages.
void count_losses(Cursor& cursor, const StepReport& report);

std::map<std::string, double> step_metrics(const StepReport& report, const Cursor& cursor,
                                           const StepCost& cost, double lr);

/// Peak of tensors on the device, and resident bytes of this process.
std::map<std::string, double> memory_metrics(at::Device device);

}  // namespace zt::train
