// SPDX-License-Identifier: Apache-2.0
// How long does an optimizer step take with offloaded state, beside the same step with the state where the
// parameters are? Both step the parameters of one job, in turn, averages included; prints a table of medians.
// On the CPU the difference is what the way through buffers costs. Usage: zt_bench_offload CONFIG [DEVICE]
#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "config/load.hpp"
#include "models/network_set.hpp"
#include "optim/adamw.hpp"
#include "optim/ema.hpp"
#include "tensor/device.hpp"
#include "train/pass/run_rules.hpp"

namespace {

using namespace zt;

constexpr int kRounds = 60;
constexpr int kWarmUp = 5;

struct Format {
  const char* name;
  config::TrainedWeights weights;
  bool is_8bit;
};
constexpr std::array<Format, 4> kFormats = {
    {{"fp32", config::TrainedWeights::Fp32, false},
     {"fp32, 8-bit moments", config::TrainedWeights::Fp32, true},
     {"bf16, fp32 copy", config::TrainedWeights::Bf16, false},
     {"bf16, at random", config::TrainedWeights::Bf16Stochastic, false}}};

/// Optimizer and averages of a store.
struct Side {
  Side(params::ParamStore& params, optim::AdamWOptions options, bool is_offloaded)
      : store(params),
        adamw(store,
              [&] {
                options.is_offloaded = is_offloaded;
                return options;
              }()),
        ema(store, {.is_offloaded = is_offloaded}) {}

  /// Seconds of one step.
  double step(at::Device device) {
    for (params::Segment& segment : store.segments()) {
      if (!segment.placement.trainable) continue;
      segment.gradients_P.fill_(1e-3);
      segment.touched = true;
    }
    tensor::synchronize(device);
    const clock::Stopwatch watch;
    adamw.step({.lr = 1e-5, .ema = &ema, .clear_gradients = true});
    tensor::synchronize(device);
    return watch.seconds();
  }

  params::ParamStore& store;
  optim::AdamW adamw;
  optim::Ema ema;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

Status measure(config::TrainJob job, const Format& format, at::Device device) {
  job.precision.trained_weights = format.weights;
  job.optimizer.use_8bit_adam = format.is_8bit;
  ZT_TRY_ASSIGN(const auto configs,
                models::network_configs(job.model, job.model.codec.latent_channels, false));
  const params::ParamTable table = models::declare_networks(configs);
  params::ParamStore store(table, {.placement = train::placement_rule(job, table), .device = device});
  Side beside(store, train::adamw_options(job, at::kCPU), false),
      offloaded(store, train::adamw_options(job, at::kCPU), true);
  std::vector<double> plain_ms, offloaded_ms, ratios;
  for (int turn = -kWarmUp; turn < kRounds; ++turn) {
    const bool is_first = turn % 2 == 0;
    double plain = is_first ? beside.step(device) : 0;
    const double through_host = offloaded.step(device);
    if (!is_first) plain = beside.step(device);
    if (turn < 0) continue;
    plain_ms.push_back(plain * 1e3);
    offloaded_ms.push_back(through_host * 1e3);
    ratios.push_back(through_host / plain);
  }
  std::ranges::sort(ratios);
  fmt::print("| {} | {:.2f} | {:.2f} | {:.2f} ({:.2f} to {:.2f}) |\n", format.name, median(plain_ms),
             median(offloaded_ms), ratios[kRounds / 2], ratios[kRounds / 4], ratios[kRounds * 3 / 4]);
  return {};
}

Status run(const std::string& file, const std::string& device_name) {
  ZT_TRY_ASSIGN(const at::Device device, tensor::open_device(device_name));
  ZT_TRY_ASSIGN(const auto resolved, config::load<config::TrainJob>({file, {}}));
  fmt::print("| weights | beside, ms | offloaded, ms | ratio (quartiles) |\n|---|---|---|---|\n");
  for (const Format& format : kFormats) ZT_TRY(measure(resolved.job, format, device));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const Status status = argc > 1
                            ? run(argv[1], argc > 2 ? argv[2] : "cpu")
                            : fail(ErrorCode::InvalidArgument, "usage: zt_bench_offload CONFIG [DEVICE]");
  if (status) return 0;
  fmt::print(stderr, "{}\n", status.error().text());
  return 1;
}
