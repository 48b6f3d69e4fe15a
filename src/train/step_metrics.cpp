// SPDX-License-Identifier: Apache-2.0
// See step_metrics.hpp.
#include "train/step_metrics.hpp"

#include <unistd.h>

#include <fstream>

#include "tensor/device_memory.hpp"

namespace zt::train {
namespace {

/// Resident pages of this process; 0 where /proc can't be read.
int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return statm ? resident * ::sysconf(_SC_PAGESIZE) : 0;
}

}  // namespace

void count_losses(Cursor& cursor, const StepReport& report) {
  for (const SampleLoss& sample : report.samples) cursor.losses.add(sample.timestep, sample.mse);
  cursor.loss.add(0, report.loss);
}

std::map<std::string, double> step_metrics(const StepReport& report, const Cursor& cursor,
                                           const StepCost& cost, double lr) {
  std::map<std::string, double> values = {
      {"train/loss", report.loss},
      {"train/lr", lr},
      {"train/grad_norm", report.norms.total},
      {"train/samples_per_s", cost.total_s > 0 ? static_cast<double>(cost.samples) / cost.total_s : 0.0},
      {"time/step_s", cost.total_s},
      {"time/data_s", cost.data_s},
      {"time/forward_s", report.forward_s},
      {"time/backward_s", report.backward_s},
      {"time/optimizer_s", report.optimizer_s},
      {"time/save_s", cost.save_s},
  };
  if (const auto average = cursor.loss.average(0)) values["train/loss_ema"] = *average;
  if (cost.sent_bytes > 0) values["comm/sent_bytes"] = static_cast<double>(cost.sent_bytes);
  if (report.loss_scale != 1.0) values["train/loss_scale"] = report.loss_scale;
  for (const auto& [module, norm] : report.norms.by_module) values["train/grad_norm/" + module] = norm;
  for (size_t i = 0; i < cursor.losses.buckets().size(); ++i) {
    const auto [first, last] = cursor.losses.range(i);
    if (const auto average = cursor.losses.average(i))
      values["train/loss_t/" + std::to_string(first) + "-" + std::to_string(last)] = *average;
  }
  return values;
}

std::map<std::string, double> memory_metrics(at::Device device) {
  return {{"memory/peak_tensor_bytes", static_cast<double>(tensor::peak_tensor_bytes(device))},
          {"memory/resident_bytes", static_cast<double>(resident_bytes())}};
}

}  // namespace zt::train
