// SPDX-License-Identifier: Apache-2.0
// See unit_policy.hpp.
#include "train/plan/unit_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "config/meaning/unit_sharing.hpp"
#include "models/scalar_type.hpp"
#include "train/pass/run_rules.hpp"
#include "train/plan/machine.hpp"
#include "train/plan/unit_costs.hpp"

namespace zt::train {
namespace {

constexpr int64_t kGatherElements = int64_t{1} << 20;
constexpr int kGathers = 4;

}  // namespace

int64_t positions_of(const std::string& unit, const config::TrainJob& job, const UNetSizes& sizes) {
  const bool is_reference = unit.starts_with(models::kReferenceUNet);
  const int64_t frames = job.stage == 2 && !is_reference ? job.data.n_sample_frames : 1;
  const int64_t side = sizes.scale_factor << output_level(unit, sizes.levels);
  const auto at_level = [&](int64_t pixels) { return (pixels + side - 1) / side; };
  return job.data.train_bs * frames * at_level(job.data.width) * at_level(job.data.height);
}

double break_even_positions(const Speeds& speeds, int64_t ranks) {
  constexpr double kFlopsEach = 2;
  const double share = static_cast<double>(ranks - 1) / static_cast<double>(ranks);
  return speeds.weight_bytes / kFlopsEach * share * speeds.flops / speeds.bytes;
}

Result<Speeds> measure_speeds(Ranks& ranks, at::Device device, const config::PrecisionJob& precision) {
  Speeds speeds;
  const double product_flops = measure_flops(device, models::scalar_type(precision.mixed_precision));
  speeds.flops = product_flops * (device.is_cpu() ? kCpuEfficiency : kUNetEfficiency);
  ZT_TRY_ASSIGN(speeds.bytes, ranks.measure_bandwidth(kGatherElements, kGathers));
  ZT_TRY_ASSIGN(const auto agreed, ranks.from_first({speeds.flops, speeds.bytes}, "measured speeds"));
  const bool are_half = precision.trained_weights != config::TrainedWeights::Fp32;
  return Speeds{agreed[0], agreed[1], are_half ? 2.0 : 4.0};
}

Status check_named_units(const config::ParallelJob& job, const params::ParamTable& table) {
  const auto check = [&](std::string_view key, std::string_view part) -> Status {
    const bool is_known = std::ranges::any_of(table.params(), [&](const params::ParamInfo& info) {
      return info.unit.find(part) != std::string::npos;
    });
    if (is_known) return {};
    return fail(
        ErrorCode::InvalidConfig,
        fmt::format("{}: no unit's name has '{}' in it; `zoetrope plan --units` lists them", key, part));
  };
  for (const std::string& part : job.keep_whole) ZT_TRY(check("parallel.keep_whole", part));
  for (const std::string& text : job.units) {
    ZT_TRY_ASSIGN(const config::UnitRule rule, config::parse_unit_rule(text));
    ZT_TRY(check("parallel.units", rule.part));
  }
  return {};
}

bool adds_up_gradients(const config::TrainJob& job, int64_t ranks) {
  const int64_t most_lanes = (job.lanes + ranks - 1) / ranks;
  return job.parallel.accumulation == config::Accumulation::Whole &&
         most_lanes * job.optimizer.gradient_accumulation_steps > 1;
}

params::ResidencyRule residency_rule(const config::TrainJob& job, const Ranks& ranks, const UNetSizes& sizes,
                                     double fewest_positions) {
  const bool adds_up = adds_up_gradients(job, ranks.size());
  const int64_t rank = ranks.rank(), size = ranks.size();
  return [=](const std::string& unit) {
    const config::UnitSharing sharing = config::sharing_of(job.parallel, unit, size);
    const auto positions = static_cast<double>(positions_of(unit, job, sizes));
    return params::Residency{
        .whole_values = sharing.parts(/*from_stage=*/3) == 1 || positions < fewest_positions,
        .whole_gradients = sharing.parts(/*from_stage=*/2) == 1 || adds_up,
        .shard = params::shard_of(rank, sharing.ranks)};
  };
}

}  // namespace zt::train
