// SPDX-License-Identifier: Apache-2.0
// Parameters and state in every format that AdamW steps, for tests that hold for all of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "optim/adamw.hpp"
#include "optim/ema.hpp"
#include "support/param_store.hpp"

namespace zt::test {

/// Large parameters are in 16 bits or have 8-bit moments, where that is wanted; small ones never.
struct Format {
  const char* name;
  at::ScalarType dtype = at::kFloat;
  bool is_8bit = false;
  optim::Bf16Weights weights = optim::Bf16Weights::Master;
};
inline constexpr Format kFormats[] = {
    {"Fp32"},
    {"Moments8Bit", at::kFloat, true},
    {"Masters", at::kBFloat16},
    {"MastersMoments8Bit", at::kBFloat16, true},
    {"Stochastic", at::kBFloat16, false, optim::Bf16Weights::Stochastic},
    {"StochasticMoments8Bit", at::kBFloat16, true, optim::Bf16Weights::Stochastic}};

/// No length is a multiple of a block, and pieces cut the larger ones. Two groups, one not always reached.
inline const std::vector<TestParam> kParams = {
    {"a", {5000}}, {"b", {300}, "other_unit"}, {"c", {70, 64}, "net", "late"}, {"d", {7}}};
inline constexpr int64_t kPiece = 512;

inline params::PlacementRule placement(const Format& format) {
  return [format](const params::ParamInfo& info) {
    params::Placement place;
    place.decay_group = info.name == "b" ? 1 : 0;
    if (optim::state_kind_8bit(info.numel()) == optim::StateKind::Float32) return place;
    place.dtype = format.dtype;
    place.optimizer_kind =
        static_cast<int>(format.is_8bit ? optim::StateKind::Blockwise8Bit : optim::StateKind::Float32);
    return place;
  };
}

/// One rank's parameters, optimizer and averages.
struct Rank {
  Rank(const Format& format, bool is_offloaded, params::Shard shard = {}, params::Residency residency = {})
      : store(make_store(kParams, placement(format), shard, [=](const std::string&) { return residency; })),
        adamw(*store,
              {.bf16_weights = format.weights, .is_offloaded = is_offloaded, .piece_elements = kPiece}),
        ema(*store, {.decay = 0.9, .is_offloaded = is_offloaded}) {}

  std::vector<params::StateTensor> state() const {
    std::vector<params::StateTensor> tensors;
    const auto add = [&](const params::StateTensor& tensor) { tensors.push_back(tensor); };
    adamw.visit_state(add);
    ema.visit_state(add);
    for (size_t s = 0; s < store->segments().size(); ++s) {
      const std::string name = "segment " + std::to_string(s);  // padding included
      add({name, store->segments()[s].values_S});
      if (adamw.master(s).defined()) add({name + "'s master", adamw.master(s)});
    }
    return tensors;
  }

  std::unique_ptr<params::ParamStore> store;
  optim::AdamW adamw;
  optim::Ema ema;
};

}  // namespace zt::test
