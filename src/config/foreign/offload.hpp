// SPDX-License-Identifier: Apache-2.0
// Where other programs are told to keep the optimizer's state, as optimizer.offload, and the weights.
#pragma once

#include <cstdint>

#include "base/error.hpp"
#include "config/foreign/asks.hpp"

namespace zt::config::foreign {

/// Of an entry that names a device: none, cpu or "auto". Errors: InvalidConfig for another one, saying why
/// not and what to do.
Result<Ask> offload_ask(const KeyFile& file, const Entry& entry);

/// Of an entry that names a device for the weights, or says whether they are offloaded; DeepSpeed looks at it
/// at stage 3 alone. Errors: InvalidConfig where they would be, saying what to do.
Result<Ask> offload_weights_ask(const KeyFile& file, const Entry& entry, int64_t stage);

}  // namespace zt::config::foreign
