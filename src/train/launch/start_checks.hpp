// SPDX-License-Identifier: Apache-2.0
// What a launch is refused for: before anything long is begun (encoders read, a codec fitted, the data set
// encoded, networks made), and again, for memory, when the encoders are there.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/process/resources.hpp"
#include "contract/run_folder.hpp"
#include "models/encoder_shapes.hpp"
#include "models/network_set.hpp"
#include "params/param_table.hpp"
#include "train/launch/origin.hpp"
#include "train/launch/setup.hpp"

namespace zt::train {

/// That the job's sizes fit together, and that memory and disk hold encoders, the fit of a codec, the cache
/// and the training. Reads config.json files, no weights. Requires: the setup's data and cache are open. The
/// first rank of each host checks for all there; a launch that goes on after a loss is not asked again for
/// what it had. Errors: InvalidConfig, naming the keys; Exhausted, with the arithmetic; those of the
/// config.json files.
Status check_before_encoders(const Setup& setup, const contract::RunFolder& run, const Origin& origin);

/// That the training of all ranks of this host fits beside `encoders`. Returns what it takes of the host's
/// memory: on a GPU only what is offloaded, and samples. Errors: Exhausted.
Result<std::vector<resources::Demand>> require_training_memory(
    const Setup& setup, const models::NetworkConfigs& configs, const params::ParamTable& table,
    const models::LatentShape& latents, std::span<const resources::Demand> encoders = {});

}  // namespace zt::train
