// SPDX-License-Identifier: Apache-2.0
// The flags of `accelerate launch`, read as the YAML file of the same keys, over which they win. Source:
// accelerate 1.14, src/accelerate/commands/launch.py.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "config/foreign/key_file.hpp"

namespace zt::config::foreign {

struct LaunchFlag {
  std::string name;  ///< "--zero_stage"
  std::string key;   ///< of accelerate's YAML, dotted
  std::string value;
};

struct LaunchFlags {
  std::vector<LaunchFlag> flags;      ///< the last of each key
  std::filesystem::path config_file;  ///< of --config_file; empty: none was given
};

/// A command line as a shell would split it, with or without `accelerate launch` before the flags; the
/// script, the first word that is no flag, and its own arguments are left alone. Errors: InvalidConfig for a
/// flag that accelerate does not have, one without its value, and quotes without an end.
Result<LaunchFlags> read_flags(std::string_view command_line);

/// Puts the flags onto a file's keys, with lines of their own after those of `source`. Where neither says
/// what kind of training it is, it is what accelerate takes it for.
void put_flags(LaunchFlags flags, Source& source, YamlNode& root);

}  // namespace zt::config::foreign
