// SPDX-License-Identifier: Apache-2.0
// The order in which one forward and backward pass of training works on units, for those who bring their
// weights and take their gradients (dist/units/unit_exchange.hpp). Pure.
#pragma once

#include <vector>

#include "dist/units/unit_walk.hpp"
#include "params/param_store.hpp"

namespace zt::train {

/// ReferenceNet, pose guider, denoising UNet, each unit in forward order; then backwards through those that
/// gradients may pass. A pass leaves out what it has no use for. Units that training never runs (those behind
/// ReferenceNet's last norm1) are not in it.
std::vector<dist::Visit> unit_order(const params::ParamStore& store);

}  // namespace zt::train
