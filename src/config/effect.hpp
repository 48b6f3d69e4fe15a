// SPDX-License-Identifier: Apache-2.0
// What a key of another program's file did to a job: one line of the table that train, generate and convert
// print.
#pragma once

#include <string>

namespace zt::config {

struct Effect {
  std::string key;     ///< theirs, as it stands in the file
  std::string value;   ///< theirs
  std::string origin;  ///< "ds.json:7"
  std::string effect;  ///< "parallel.zero_stage = 2", "not used: it is for TPUs"
};

}  // namespace zt::config
