// SPDX-License-Identifier: Apache-2.0
// What accelerate's YAML asks of a job.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "config/foreign/asks.hpp"

namespace zt::config::foreign {

/// read_keys() for it, and its rules between keys. Errors: InvalidConfig; also for a kind of training or more
/// machines than is built.
Result<KeyFile> read_accelerate(Source source, const YamlNode& root);

/// Ranks of all machines together, or nothing when the file leaves that open.
std::optional<int64_t> ranks_of(const KeyFile& file);

/// The DeepSpeed file it names, as find_file() finds it; "" when it names none. Errors: InvalidConfig where
/// it is not there.
Result<std::filesystem::path> deepspeed_file_of(const KeyFile& file);

/// One ask per key, in the order of the file. `ranks`: those that will train. The asks point into `file`.
Result<std::vector<Ask>> accelerate_asks(const KeyFile& file, int64_t ranks);

}  // namespace zt::config::foreign
