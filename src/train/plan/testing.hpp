// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share.
#pragma once

#include <cstdint>

#include "config/job/model_job.hpp"
#include "models/network_set.hpp"

namespace zt::test {

/// Stable Diffusion 1.5's sizes with the published pose guider.
inline models::NetworkConfigs published(int64_t stage) {
  return models::network_configs(config::ModelJob{}, /*latent_channels=*/4, /*motion=*/stage == 2).value();
}

}  // namespace zt::test
