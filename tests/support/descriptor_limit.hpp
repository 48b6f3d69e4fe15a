// SPDX-License-Identifier: Apache-2.0
// A process that may open no more than a few files more, while one of these lives.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "support/resource_limit.hpp"

namespace zt::test {

class DescriptorLimit : ResourceLimit {
 public:
  explicit DescriptorLimit(unsigned spare) : ResourceLimit(RLIMIT_NOFILE, lowest_free() + spare) {}

 private:
  static rlim_t lowest_free() {
    const int free = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(free);
    return static_cast<rlim_t>(free);
  }
};

}  // namespace zt::test
