// SPDX-License-Identifier: Apache-2.0
// What each unit of the trained networks costs in one forward and backward pass, from the parameter table and
// the sizes of the pictures: nothing is allocated. The table says which layers a unit has and how wide they
// are; the rules in unit_costs.cpp say which of their tensors autograd keeps. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/job/train_job.hpp"
#include "models/network_set.hpp"
#include "params/param_table.hpp"
#include "train/plan/place.hpp"

namespace zt::train {

inline constexpr double kFloatBytes = 4;
inline constexpr double kHalfBytes = 2;  ///< bf16 and fp16

/// Of one lane's micro batch in which no reference is dropped. Bytes and operations as real numbers.
struct UnitCost {
  std::string name;
  int64_t trained = 0;         ///< elements as stored: parameters on 256-element borders
  int64_t frozen = 0;          ///< likewise, buffers too
  int64_t idle = 0;            ///< of `trained`, what no pass works with
  double trained_bytes = 0;    ///< of `trained`, each in the type that it is kept in
  double frozen_bytes = 0;     ///< of `frozen`, likewise
  double kept = 0;             ///< what its forward pass keeps for backward
  double copies = 0;           ///< of its weights in the 16-bit type, kept with that
  double standing_copies = 0;  ///< of its fp32 parameters, where params/compute_copy.hpp keeps them
  double inputs = 0;           ///< what recomputation keeps of it: its input and what it wrote into the bank
  double again = 0;            ///< what recomputing it takes beside that, of `kept`
  double working = 0;          ///< most that its backward pass takes beside what is still kept
  double weight_gradient = 0;  ///< of its largest weight, computed beside the sum that it is added to
  double gradients_left = 0;   ///< of skips and bank, which wait for units far before it
  bool is_recomputed = false;  ///< where the job recomputes
  double forward_flops = 0;
  double backward_flops = 0;  ///< without recomputation
};

/// The level of what a UNet's unit puts out, e.g. 2 of "denoising_unet.down_blocks.1.downsampler", counted
/// from the widest picture; `levels` of them.
int64_t output_level(std::string_view unit, int64_t levels);

/// Units in the order they run: pose guider, ReferenceNet, denoising network.
std::vector<UnitCost> unit_costs(const config::TrainJob& job, const params::ParamTable& table,
                                 const models::NetworkConfigs& configs, int64_t scale_factor, Place place);

/// Most bytes that one lane's activations and copies of weights take at once, on the walk back from all that
/// is kept to nothing. Against the counting allocator: within 10 %, see budget_measured_test.cpp.
/// `copies_stand`: copies of all weights are there all the time, and gradients in the 16-bit type until the
/// end.
double peak_activations(const std::vector<UnitCost>& units, bool copies_stand = false);

}  // namespace zt::train
