// SPDX-License-Identifier: Apache-2.0
// See loss_scaler.hpp.
#include "optim/loss_scaler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace zt::optim {
namespace {

constexpr const char* kScale = "scaler.scale";
constexpr const char* kGoodSteps = "scaler.good_steps";

}  // namespace

LossScaler::LossScaler(const Options& options) : options_(options), scale_(options.first_scale) {}

bool LossScaler::update(bool gradients_are_finite) {
  if (!gradients_are_finite) {
    scale_ = std::max(options_.least_scale, scale_ * options_.backoff);
    good_steps_ = 0;
    return false;
  }
  if (++good_steps_ >= options_.growth_interval) {
    // The loss is scaled in fp32: a scale beyond its range would make every step overflow.
    scale_ = std::min(scale_ * options_.growth, double{std::numeric_limits<float>::max()});
    good_steps_ = 0;
  }
  return true;
}

std::vector<params::StateScalar> LossScaler::scalars() const {
  return {{kScale, scale_}, {kGoodSteps, good_steps_}};
}

Status LossScaler::set_scalars(const std::vector<params::StateScalar>& scalars) {
  ZT_TRY_ASSIGN(const double scale, params::find_positive(scalars, kScale));
  ZT_TRY_ASSIGN(good_steps_, params::find_count(scalars, kGoodSteps));
  scale_ = scale;
  return {};
}

}  // namespace zt::optim
