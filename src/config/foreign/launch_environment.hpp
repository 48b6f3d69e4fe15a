// SPDX-License-Identifier: Apache-2.0
// What accelerate's launcher says to the processes that it starts, in ACCELERATE_*, FSDP_* and
// PARALLELISM_CONFIG_*, read as the YAML file of the same flags. Source: accelerate 1.14,
// src/accelerate/utils/launch.py.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "config/foreign/key_file.hpp"

namespace zt::config {

using Environment = std::map<std::string, std::string, std::less<>>;

namespace foreign {

/// Entries are written as their variables. Nothing where no variable asks for anything: accelerate sets
/// ACCELERATE_MIXED_PRECISION=no where nobody said so, and `none` as a device means the same. Errors: those
/// of read_accelerate().
Result<std::optional<KeyFile>> read_environment(const Environment& environment);

}  // namespace foreign
}  // namespace zt::config
