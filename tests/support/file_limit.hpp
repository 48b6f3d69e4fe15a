// SPDX-License-Identifier: Apache-2.0
// A disk that is full, for one process: no file of it grows beyond a size while one of these lives.
#pragma once

#include <signal.h>

#include <cstdint>

#include "support/resource_limit.hpp"

namespace zt::test {

class FileLimit : ResourceLimit {
 public:
  explicit FileLimit(uint64_t bytes) : ResourceLimit(RLIMIT_FSIZE, bytes) {
    ::signal(SIGXFSZ, SIG_IGN);  // as signals::install()
  }
};

}  // namespace zt::test
