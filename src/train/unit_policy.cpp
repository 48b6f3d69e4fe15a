// SPDX-License-Identifier: Apache-2.0
// See unit_policy.hpp.
#include "train/unit_policy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "train/machine.hpp"

namespace zt::train {
namespace {

constexpr int64_t kGatherElements = int64_t{1} << 20;
constexpr int kGathers = 4;

/// The level of "denoising_unet.down_blocks.2.layers.0", counted from the widest picture; `levels` of them.
int64_t level_of(std::string_view unit, int64_t levels) {
  const auto number_behind = [&](std::string_view word) -> int64_t {
    const size_t at = unit.find(word);
    if (at == std::string_view::npos) return -1;
    int64_t number = -1;
    std::from_chars(unit.data() + at + word.size(), unit.data() + unit.size(), number);
    return number;
  };
  if (const int64_t down = number_behind("down_blocks."); down >= 0) return down;
  if (const int64_t up = number_behind("up_blocks."); up >= 0) return levels - 1 - up;
  return unit.find("mid_block") != std::string_view::npos ? levels - 1 : 0;
}

}  // namespace

int64_t positions_of(const std::string& unit, const config::TrainJob& job, const UNetSizes& sizes) {
  const bool is_reference = unit.starts_with(models::kReferenceUNet);
  const int64_t frames = job.stage == 2 && !is_reference ? job.data.n_sample_frames : 1;
  const int64_t side = sizes.scale_factor << level_of(unit, sizes.levels);
  const auto at_level = [&](int64_t pixels) { return (pixels + side - 1) / side; };
  return job.data.train_bs * frames * at_level(job.data.width) * at_level(job.data.height);
}

double break_even_positions(const Speeds& speeds, int64_t ranks) {
  constexpr double kBytesEach = 4, kFlopsEach = 2;
  const double share = static_cast<double>(ranks - 1) / static_cast<double>(ranks);
  return kBytesEach / kFlopsEach * share * speeds.flops / speeds.bytes;
}

Result<Speeds> measure_speeds(Ranks& ranks) {
  Speeds speeds;
  speeds.flops = measure_flops();
  ZT_TRY_ASSIGN(speeds.bytes, ranks.measure_bandwidth(kGatherElements, kGathers));
  ZT_TRY_ASSIGN(const auto agreed, ranks.from_first({speeds.flops, speeds.bytes}, "measured speeds"));
  return Speeds{agreed[0], agreed[1]};
}

Status check_named_units(const config::ParallelJob& job, const params::ParamTable& table) {
  for (const std::string& part : job.keep_whole) {
    const bool is_known = std::ranges::any_of(table.params(), [&](const params::ParamInfo& info) {
      return info.unit.find(part) != std::string::npos;
    });
    if (!is_known)
      return fail(ErrorCode::InvalidConfig,
                  fmt::format("parallel.keep_whole: no unit's name has '{}' in it; `zoetrope plan --units` "
                              "lists them",
                              part));
  }
  return {};
}

bool adds_up_gradients(const config::TrainJob& job, const Ranks& ranks) {
  return job.parallel.accumulation == config::Accumulation::Whole &&
         ranks.most_lanes(job.lanes) * job.optimizer.gradient_accumulation_steps > 1;
}

params::ResidencyRule residency_rule(const config::TrainJob& job, const Ranks& ranks, const UNetSizes& sizes,
                                     double fewest_positions) {
  const bool alone = ranks.shard().count == 1;
  const int64_t stage = job.parallel.zero_stage;
  const bool whole_gradients = alone || stage < 2 || adds_up_gradients(job, ranks);
  if (alone || stage < 3) return [=](const std::string&) { return params::Residency{true, whole_gradients}; };
  return [=](const std::string& unit) {
    const auto& named = job.parallel.keep_whole;
    const bool is_named = std::any_of(named.begin(), named.end(), [&](const std::string& part) {
      return unit.find(part) != std::string::npos;
    });
    const auto positions = static_cast<double>(positions_of(unit, job, sizes));
    return params::Residency{is_named || positions < fewest_positions, whole_gradients};
  };
}

}  // namespace zt::train
