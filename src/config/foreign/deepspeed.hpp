// SPDX-License-Identifier: Apache-2.0
// What DeepSpeed's JSON asks of a job.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.hpp"
#include "config/foreign/asks.hpp"

namespace zt::config::foreign {

/// read_keys() for it, and the refusal of optimizers and schedulers that are not built, before their keys are
/// looked at.
Result<KeyFile> read_deepspeed(Source source, const YamlNode& root);

/// One ask per key, in the order of the file, and some for what it leaves open. "auto" is filled from `job`,
/// which `ranks` train. Errors: InvalidConfig, for keys that do not go together. The asks point into `file`.
Result<std::vector<Ask>> deepspeed_asks(const KeyFile& file, const Resolved<TrainJob>& resolved,
                                        int64_t ranks);

/// The part of deepspeed_asks() that the sections optimizer and scheduler bring.
Result<std::vector<Ask>> optimizer_asks(const KeyFile& file, const TrainJob& job);

}  // namespace zt::config::foreign
